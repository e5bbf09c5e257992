// Listeners by event. A listener's error is its own: it is thrown outside of the pool, as from any callback.
type Listener<T> = (event: T) => void;

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Listener<never>[]>();

  /** Answers a function that takes the listener away again. */
  on<E extends keyof Events>(name: E, listener: Listener<Events[E]>): () => void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, [listener]);
    else listeners.push(listener);
    return () => this.off(name, listener);
  }

  off<E extends keyof Events>(name: E, listener: Listener<Events[E]>): void {
    const listeners = this.#listeners.get(name);
    const at = listeners?.indexOf(listener) ?? -1;
    if (at < 0) return;
    if (listeners!.length === 1) this.#listeners.delete(name);
    else this.#listeners.set(name, listeners!.toSpliced(at, 1));
  }

  has(name: keyof Events): boolean {
    return this.#listeners.has(name);
  }

  emit<E extends keyof Events>(name: E, event: Events[E]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as Listener<Events[E]>)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
