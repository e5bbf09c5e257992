// Values for the tests of the protocol: everything that can be sent, and what has no copy.
import { inspect } from "node:util";
import fc from "fast-check";

/** Anything fast-check can think of, prototypes, holes and odd keys included; but for invalid dates, which equal nothing in a set. */
export const anything: fc.Arbitrary<unknown> = fc
  .anything({
    maxDepth: 4,
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
    key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "0", "length", "toJSON")),
  })
  .filter((value) => !inspect(value, { depth: Number.POSITIVE_INFINITY }).includes("Invalid Date"));

/** Primitives, and plain objects and lists of them. */
export const plainData: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY),
  ),
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;

/** Every object of the value, itself included. */
export function objectsOf(value: unknown, found: Set<object> = new Set()): Set<object> {
  if (typeof value !== "object" || value === null || found.has(value)) return found;
  found.add(value);
  for (const key of Reflect.ownKeys(value)) objectsOf(Reflect.get(value, key), found);
  if (value instanceof Map) for (const [key, member] of value) objectsOf([key, member], found);
  if (value instanceof Set) for (const member of value) objectsOf(member, found);
  return found;
}

/** A new one each time: proxies that refuse everything. */
export function hostileProxies(): object[] {
  const refuse = (): never => {
    throw new Error("refused");
  };
  const handler = Object.fromEntries(
    ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "set", "isExtensible"].map((trap) => [
      trap,
      refuse,
    ]),
  );
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const revokedList = Proxy.revocable([], {});
  revokedList.revoke();
  return [
    new Proxy({}, handler),
    new Proxy([], handler),
    new Proxy(new Error("x"), handler),
    revoked.proxy,
    revokedList.proxy,
  ];
}

/** An object whose every member throws when it is read. */
export function hostileGetters(onto: object = {}): object {
  for (const key of ["name", "message", "stack", "cause", "errors", "code", "toString", "toJSON", "then"]) {
    Object.defineProperty(onto, key, {
      enumerable: true,
      configurable: true,
      get() {
        throw new Error("refused");
      },
    });
  }
  return onto;
}
