// A task's value as JSON. What JSON has no form for gets one: bytes are base64, bigints are decimal strings, a Map is its pairs, a Set its members.

/** One line of JSON. Throws what JSON.stringify throws: a cycle has no form. `undefined` is `null`. */
export function toJson(value: unknown): string {
  // A replacer makes JSON.stringify many times slower, and is seldom needed.
  return (isPlain(value, 0) ? JSON.stringify(value) : JSON.stringify(value, replace)) ?? "null";
}

const DEEPEST = 64;

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === "bigint") return false;
  if (typeof value !== "object" || value === null) return true;
  if (depth > DEEPEST) return false;
  if (Array.isArray(value)) return value.every((element) => isPlain(element, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false;
  return true;
}

/** `this` is the holder: a Buffer and a Date arrive here as what their own toJSON made of them. */
function replace(this: unknown, name: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[name];
  if (typeof original === "bigint") return original.toString();
  if (ArrayBuffer.isView(original)) {
    return Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString("base64");
  }
  if (original instanceof ArrayBuffer || original instanceof SharedArrayBuffer)
    return Buffer.from(original).toString("base64");
  if (original instanceof Map || original instanceof Set) return [...original];
  if (original instanceof RegExp) return String(original);
  if (original instanceof Error) {
    const { name: type, message, cause } = original;
    return {
      ...Object.fromEntries(Object.entries(original)),
      name: type,
      message,
      ...(cause === undefined ? {} : { cause }),
    };
  }
  return value;
}
