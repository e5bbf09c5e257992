// Where MessagePack comes from: an optional package, loaded when a program may speak it.
import { createRequire } from "node:module";
import type { MsgpackLibrary } from "../protocol/msgpack.ts";

const NAME = "@msgpack/msgpack";

/** The library; undefined where it is not installed. */
export function loadMsgpack(): MsgpackLibrary | undefined {
  try {
    return createRequire(import.meta.url)(NAME) as MsgpackLibrary;
  } catch (error) {
    if (Reflect.get(Object(error) as object, "code") === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
