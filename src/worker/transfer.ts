const lists = new WeakMap<object, readonly object[]>();

/**
 * Marks a task's result, so that the memory of the given buffers moves to the caller instead of being copied. Moves on
 * threads; elsewhere it is a copy. The task must not use the buffers afterwards.
 *
 *     return transfer(pixels, [pixels.buffer]);
 */
export function transfer<T extends object>(value: T, list: readonly object[]): T {
  lists.set(value, list);
  return value;
}

export function transferListOf(value: object): readonly object[] | undefined {
  return lists.get(value);
}
