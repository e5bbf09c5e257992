// One listener a signal, however many tasks wait for it: 100,000 tasks on one signal are one listener, and none when they are done.

export interface Abortable {
  /** The signal that the member waits for was aborted. */
  aborted(reason: unknown): void;
}

interface Group {
  readonly members: Set<Abortable>;
  readonly listener: () => void;
}

export class AbortGroups {
  readonly #groups = new Map<AbortSignal, Group>();

  add(signal: AbortSignal, member: Abortable): void {
    const known = this.#groups.get(signal);
    if (known !== undefined) {
      known.members.add(member);
      return;
    }
    const members = new Set([member]);
    const listener = (): void => {
      this.#groups.delete(signal);
      for (const one of members) one.aborted(signal.reason);
    };
    this.#groups.set(signal, { members, listener });
    signal.addEventListener("abort", listener, { once: true });
  }

  remove(signal: AbortSignal, member: Abortable): void {
    const group = this.#groups.get(signal);
    if (group === undefined || !group.members.delete(member) || group.members.size > 0) return;
    signal.removeEventListener("abort", group.listener);
    this.#groups.delete(signal);
  }
}
