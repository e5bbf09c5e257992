// The keys of objects, as what is packed together names them.

/** Keys in the order in which an object has them: a tree, in which the way that most objects go is looked at first. */
export class Shape {
  readonly #before: Shape | undefined;
  readonly #key: string;
  #usual: Shape | undefined;
  #others: Map<string, Shape> | undefined;
  /** Its number in the message; -1 before an object had it. */
  number = -1;

  constructor(before: Shape | undefined, key: string) {
    this.#before = before;
    this.#key = key;
  }

  after(key: string): Shape {
    const usual = this.#usual;
    if (usual !== undefined && usual.#key === key) return usual;
    let shape = this.#others?.get(key);
    if (shape === undefined) {
      shape = new Shape(this, key);
      if (usual !== undefined) {
        this.#others ??= new Map([[usual.#key, usual]]);
        this.#others.set(key, shape);
      }
    }
    this.#usual = shape;
    return shape;
  }

  keys(): string[] {
    return this.#before === undefined ? [] : [...this.#before.keys(), this.#key];
  }
}

/** Whether a `for … in` over a plain object meets its own keys alone: nobody has put any on the prototype of all objects. */
export function isOwnKeyLoop(): boolean {
  for (const _ in Object.prototype) return false;
  return true;
}
