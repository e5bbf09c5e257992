// Messages in MessagePack, by a library that is handed in: what JSON has not, bytes above all, crosses in it. Nothing received chooses
// its class: a value is plain, bytes, a Date or a BigInt.
import { ProtocolError } from "./errors.ts";
import { shapeOf, WHOLE_NUMBER_TYPE } from "./msgpack-shape.ts";
import { ValueCheck, type ValueFormat } from "./value-check.ts";

/** What is used of the package `@msgpack/msgpack`. */
export interface MsgpackLibrary {
  readonly Encoder: new (options: object) => { encodeSharedRef(value: unknown): Uint8Array };
  readonly Decoder: new (options: object) => { decode(bytes: Uint8Array): unknown };
  readonly ExtensionCodec: new () => {
    register(extension: {
      readonly type: number;
      readonly encode: (value: unknown) => Uint8Array | null;
      readonly decode: (data: Uint8Array) => unknown;
    }): void;
  };
}

const MAX_DEPTH = 500;
/** More digits take long to read; Python takes no more. */
const MAX_DIGITS = 4_000;
/** The buffer of an encoder never gets smaller: after a message that was longer it is thrown away. */
const MAX_KEPT_BYTES = 1 << 20;

const VALUES: ValueFormat = {
  name: "MessagePack",
  maxDepth: MAX_DEPTH,
  hasHalves: false,
  has: (value) => {
    if (typeof value === "number") return true;
    if (typeof value === "bigint") return String(value).length <= MAX_DIGITS;
    if (value instanceof Date) return !Number.isNaN(value.getTime());
    return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer;
  },
};

export class Msgpack {
  readonly #library: MsgpackLibrary;
  readonly #extensions: InstanceType<MsgpackLibrary["ExtensionCodec"]>;
  readonly #decoder: InstanceType<MsgpackLibrary["Decoder"]>;
  readonly #check: ValueCheck;
  #encoder: InstanceType<MsgpackLibrary["Encoder"]> | undefined;

  /** @param isProxy tells proxies, which would be taken for what they stand for */
  constructor(library: MsgpackLibrary, isProxy: (value: object) => boolean) {
    this.#library = library;
    this.#extensions = new library.ExtensionCodec();
    this.#extensions.register({ type: WHOLE_NUMBER_TYPE, encode: digitsOf, decode: wholeNumberOf });
    this.#decoder = new library.Decoder({ extensionCodec: this.#extensions, keyDecoder: KEYS });
    this.#check = new ValueCheck(VALUES, isProxy);
  }

  /** @throws TypeError that says what in the value cannot be sent, and where it stands */
  check(value: unknown): void {
    this.#check.check(value);
  }

  /**
   * The message, of values that were checked, in bytes that hold until the next call.
   * @throws TypeError for what is too deep
   */
  encode(message: unknown): Uint8Array {
    this.#encoder ??= new this.#library.Encoder({
      extensionCodec: this.#extensions,
      ignoreUndefined: true,
      // A message has a few levels of its own.
      maxDepth: MAX_DEPTH + 10,
    });
    const bytes = this.#encoder.encodeSharedRef(message);
    if (bytes.length > MAX_KEPT_BYTES) this.#encoder = undefined;
    return bytes;
  }

  /** The message, which shares nothing with the bytes. @throws ProtocolError for what is none */
  decode(bytes: Uint8Array): unknown {
    const { hasBytes, hasProto } = shapeOf(bytes);
    let message: unknown;
    try {
      message = this.#decoder.decode(bytes);
    } catch (error) {
      throw new ProtocolError(`Cannot read MessagePack: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    return hasBytes || hasProto ? owned(message) : message;
  }
}

/** The library refuses this key, since an assignment to it would set a prototype. Here it is a key like others. */
const PROTO = "__proto__";
const STANDS_FOR_PROTO = "\0__proto__";

const utf8 = new TextDecoder();
const KEYS = {
  canBeCached: (length: number): boolean => length === PROTO.length,
  decode: (bytes: Uint8Array, offset: number, length: number): string => {
    const key = utf8.decode(bytes.subarray(offset, offset + length));
    return key === PROTO ? STANDS_FOR_PROTO : key;
  },
};

/** The same with bytes of its own: the library gives views of what it reads, and two values of a message would share their memory. */
function owned(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) value[at] = owned(value[at]);
  } else if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      const member = owned(members[key]);
      if (key === STANDS_FOR_PROTO) {
        delete members[key];
        Object.defineProperty(members, PROTO, { value: member, enumerable: true, configurable: true, writable: true });
      } else members[key] = member;
    }
  }
  return value;
}

function digitsOf(value: unknown): Uint8Array | null {
  return typeof value === "bigint" ? new TextEncoder().encode(String(value)) : null;
}

function wholeNumberOf(data: Uint8Array): bigint {
  const digits = utf8.decode(data.subarray(0, MAX_DIGITS + 2));
  if (!/^-?\d+$/.test(digits) || digits.length > MAX_DIGITS + 1) throw new Error("a whole number is none");
  return BigInt(digits);
}
