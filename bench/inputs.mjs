// Inputs of the object measurements. Every object is its own: an object sent twice in one message is cloned once there,
// and would flatter whoever gathers messages.

/** `count` objects `{ id, name, ok }`. */
export function smallRecords(count) {
  return Array.from({ length: count }, (_, id) => ({ id, name: flat(`item ${id}`), ok: id % 2 === 0 }));
}

/** `count` objects of about 1 KB each as JSON, nothing shared between them. */
export function kilobyteRecords(count) {
  return Array.from({ length: count }, (_, id) => ({
    id,
    title: flat(`record number ${id}`),
    created: 1_700_000_000_000 + id,
    tags: [flat(`tag-${id % 7}`), flat(`tag-${id % 11}`), flat(`tag-${id % 13}`)],
    lines: Array.from({ length: 14 }, (_, line) => ({
      key: flat(`${id}-${line}`),
      price: id / 8 + line,
      count: line,
      open: true,
    })),
  }));
}

// A string put together from parts is flattened when it is first sent; do that before anything is measured.
function flat(text) {
  return Buffer.from(text).toString();
}
