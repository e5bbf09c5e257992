// A 4-ary min-heap of small integers, ordered by (key, tie), that knows where each of them stands.
// Everything lives in typed arrays: a million entries cost 20 bytes each and no garbage.

/** Where each id stands in its heap, -1 for nowhere. May be shared by heaps that never hold the same id at once. */
export class HeapPositions {
  of: Int32Array = new Int32Array(64).fill(-1);

  ensure(id: number): void {
    if (id < this.of.length) return;
    const grown = new Int32Array(Math.max(id + 1, this.of.length * 2)).fill(-1);
    grown.set(this.of);
    this.of = grown;
  }
}

export class IndexedHeap {
  #size = 0;
  #ids: Int32Array = new Int32Array(16);
  #keys: Float64Array = new Float64Array(16);
  #ties: Float64Array = new Float64Array(16);
  readonly #positions: HeapPositions;

  constructor(positions: HeapPositions = new HeapPositions()) {
    this.#positions = positions;
  }

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    const positions = this.#positions.of;
    return id < positions.length && positions[id]! >= 0;
  }

  /** The id with the smallest (key, tie), or -1 when the heap is empty. */
  peek(): number {
    return this.#size > 0 ? this.#ids[0]! : -1;
  }

  /** The smallest key, Infinity when the heap is empty. */
  peekKey(): number {
    return this.#size > 0 ? this.#keys[0]! : Number.POSITIVE_INFINITY;
  }

  /** Adds `id`, or moves it where its new key belongs. */
  set(id: number, key: number, tie = 0): void {
    this.#positions.ensure(id);
    const at = this.#positions.of[id]!;
    if (at < 0) {
      if (this.#size === this.#ids.length) this.#grow();
      this.#siftUp(this.#size++, id, key, tie);
    } else {
      this.#replace(at, id, key, tie);
    }
  }

  /** Takes `id` out; false when it was not there. */
  remove(id: number): boolean {
    if (!this.has(id)) return false;
    const at = this.#positions.of[id]!;
    this.#positions.of[id] = -1;
    const last = --this.#size;
    if (at !== last) this.#replace(at, this.#ids[last]!, this.#keys[last]!, this.#ties[last]!);
    return true;
  }

  /** Takes out and returns the id with the smallest (key, tie), -1 when the heap is empty. */
  pop(): number {
    const id = this.peek();
    if (id >= 0) this.remove(id);
    return id;
  }

  #replace(at: number, id: number, key: number, tie: number): void {
    if (at > 0) {
      const parent = (at - 1) >> 2;
      if (key < this.#keys[parent]! || (key === this.#keys[parent]! && tie < this.#ties[parent]!)) {
        this.#siftUp(at, id, key, tie);
        return;
      }
    }
    this.#siftDown(at, id, key, tie);
  }

  #siftUp(from: number, id: number, key: number, tie: number): void {
    const keys = this.#keys;
    const ties = this.#ties;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (keys[parent]! < key || (keys[parent]! === key && ties[parent]! <= tie)) break;
      this.#place(at, this.#ids[parent]!, keys[parent]!, ties[parent]!);
      at = parent;
    }
    this.#place(at, id, key, tie);
  }

  #siftDown(from: number, id: number, key: number, tie: number): void {
    const keys = this.#keys;
    const ties = this.#ties;
    let at = from;
    for (;;) {
      let child = at * 4 + 1;
      if (child >= this.#size) break;
      const end = Math.min(child + 4, this.#size);
      for (let next = child + 1; next < end; next++) {
        if (keys[next]! < keys[child]! || (keys[next]! === keys[child]! && ties[next]! < ties[child]!)) child = next;
      }
      if (key < keys[child]! || (key === keys[child]! && tie <= ties[child]!)) break;
      this.#place(at, this.#ids[child]!, keys[child]!, ties[child]!);
      at = child;
    }
    this.#place(at, id, key, tie);
  }

  #place(at: number, id: number, key: number, tie: number): void {
    this.#ids[at] = id;
    this.#keys[at] = key;
    this.#ties[at] = tie;
    this.#positions.of[id] = at;
  }

  #grow(): void {
    const length = this.#ids.length * 2;
    const ids = new Int32Array(length);
    const keys = new Float64Array(length);
    const ties = new Float64Array(length);
    ids.set(this.#ids);
    keys.set(this.#keys);
    ties.set(this.#ties);
    this.#ids = ids;
    this.#keys = keys;
    this.#ties = ties;
  }
}
