// A Python that has the module msgpack: the usual one, or that of the system.
import { spawnSync } from "node:child_process";

export function pythonWithMsgpack(): string {
  const python = ["python3", "/usr/bin/python3"].find(
    (name) => spawnSync(name, ["-c", "import msgpack; assert msgpack.version >= (1, 0)"]).status === 0,
  );
  if (python === undefined)
    throw new Error("Cannot find a Python with the module msgpack (on Debian: python3-msgpack)");
  return python;
}
