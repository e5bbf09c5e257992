// Errors grouped by their cause, so that ten thousand failures read as three. Bounded, whatever the messages are.

export interface Failure {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

export interface Cause {
  readonly count: number;
  /** The code where the error has one, else its name. */
  readonly label: string;
  /** The message of the first one. */
  readonly message: string;
  readonly firstSeq: number;
  /** Where the first one stood and what it was, shortened. */
  readonly example: string;
}

const MOST_CAUSES = 200;
const OTHER = "other";

export class Failures {
  readonly #causes: Map<string, Cause> = new Map();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param example is asked for only when the failure is the first of its cause */
  add(failure: Failure, seq: number, example: () => string): void {
    this.#count++;
    const wanted = fingerprint(failure);
    const key = this.#causes.has(wanted) || this.#causes.size < MOST_CAUSES ? wanted : OTHER;
    const known = this.#causes.get(key);
    if (known) {
      this.#causes.set(key, { ...known, count: known.count + 1 });
      return;
    }
    const label = key === OTHER ? "other causes" : (failure.code ?? failure.name);
    this.#causes.set(key, { count: 1, label, message: failure.message, firstSeq: seq, example: example() });
  }

  /** The most frequent first; of equals the one seen first. */
  causes(): readonly Cause[] {
    return [...this.#causes.values()].toSorted((a, b) => b.count - a.count || a.firstSeq - b.firstSeq);
  }
}

/** Reads what was thrown, whatever it is. Never throws itself. */
export function toFailure(error: unknown): Failure {
  try {
    if (typeof error !== "object" || error === null) return { name: "Error", code: undefined, message: String(error) };
    const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown };
    return {
      name: typeof name === "string" && name !== "" ? name : "Error",
      code: typeof code === "string" || typeof code === "number" ? String(code) : undefined,
      message: typeof message === "string" ? message : JSON.stringify(error),
    };
  } catch {
    return { name: "Error", code: undefined, message: "an error that cannot be read" };
  }
}

/** Equal for errors that differ only in numbers, paths and what is quoted. */
function fingerprint({ name, code, message }: Failure): string {
  const shape = message
    .slice(0, 500)
    .replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, "…")
    .replaceAll(/(?:[A-Za-z]:)?[\w.~-]*(?:[\\/][\w.@~ -]+)+/g, "…")
    .replaceAll(/\b(?:0x)?[\da-f]*\d[\da-f]*\b/gi, "0");
  return `${name}|${code ?? ""}|${shape}`;
}
