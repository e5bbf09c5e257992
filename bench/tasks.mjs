// The tasks every pool runs: the same functions, whichever pool calls them.

/** Does as good as nothing. */
export function increment(x) {
  return x + 1;
}

/** The same for a chunk made by hand. */
export function incrementAll(xs) {
  const out = new Array(xs.length);
  for (let i = 0; i < xs.length; i++) out[i] = xs[i] + 1;
  return out;
}

/** Real work: integer mixing, as long as `rounds` says. Returns its last state, so that none of it can be left out. */
export function mix(rounds) {
  let state = rounds | 0;
  for (let i = 0; i < rounds; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = (state + 0x9e3779b9) | 0;
  }
  return state;
}

/** A small object in, another one out. */
export function flip(record) {
  return { id: record.id + 1, name: record.name, ok: !record.ok };
}

/** About 1 KB of object in, another one out. */
export function revise(record) {
  return { ...record, id: record.id + 1, lines: record.lines.map((line) => ({ ...line, count: line.count + 1 })) };
}

/** Gives the bytes back. */
export function echo(bytes) {
  return bytes;
}

/** Takes the bytes, answers with a number. */
export function byteLength(bytes) {
  return bytes.byteLength;
}
