// What a slot has, in the launcher: the program that runs, and those that come after it.
import { ABORTED, type LauncherReply, type LauncherRequest, type RunEnd, type RunMessage } from "./messages.ts";
import { failure, Running } from "./running.ts";

/** @param mayWait for what is said after it: there is enough to do meanwhile */
export type Say = (reply: LauncherReply, mayWait: boolean) => void;

export class Track {
  readonly #slot: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #say: Say;
  #waiting: RunMessage[] = [];
  /** How many waited when the last one came. */
  #most = 0;
  #running: { readonly id: number; readonly program: Running } | undefined;
  #isClearing = false;

  /** @param env what all programs have */
  constructor(slot: number, env: Readonly<Record<string, string>>, say: Say) {
    this.#slot = slot;
    this.#env = env;
    this.#say = say;
  }

  receive(request: LauncherRequest): void {
    switch (request[0]) {
      case "run":
        this.#waiting.push(request);
        this.#goOn();
        this.#most = this.#waiting.length;
        break;
      case "signal":
        this.#signal(request[2], request[3]);
        break;
      case "recall": {
        const [, , asked] = request;
        const got = asked.filter((id) => this.#forget(id));
        this.#say(["recalled", this.#slot, asked, got], false);
        break;
      }
      case "clear":
        this.#waiting = [];
        this.#isClearing = true;
        if (this.#running === undefined) this.#cleared();
        else this.#running.program.signal("SIGKILL");
        break;
      default:
        request satisfies never;
    }
  }

  /** Nobody is there any more. */
  abandon(): void {
    this.#running?.program.signal("SIGKILL");
    this.#running?.program.drop();
  }

  #goOn(): void {
    while (this.#running === undefined && this.#waiting.length > 0) this.#start(this.#waiting.shift()!);
  }

  #start([, slot, id, file, words, changes, stdin, cwd]: RunMessage): void {
    const env = changes === 0 ? this.#env : changed(this.#env, changes);
    try {
      const program = new Running({ slot, id, file, words, env, stdin, cwd }, (tell) => this.#ended(tell));
      this.#running = { id, program };
    } catch (error) {
      this.#say(failure({ slot, id }, error), false);
    }
  }

  #ended(tell: () => RunEnd): void {
    this.#running = undefined;
    // The next one first: a processor waits for it.
    this.#goOn();
    this.#say(tell(), this.#waiting.length * 2 > this.#most);
    if (this.#isClearing && this.#running === undefined) this.#cleared();
  }

  #cleared(): void {
    this.#isClearing = false;
    this.#say(["cleared", this.#slot], false);
  }

  #signal(id: number, signal: "SIGTERM" | "SIGKILL"): void {
    // It may have ended meanwhile.
    if (this.#running?.id === id) this.#running.program.signal(signal);
    else if (this.#forget(id)) this.#say(["failed", this.#slot, id, ABORTED, "it was ended before it began"], false);
  }

  /** Whether it waited, and does so no more. */
  #forget(id: number): boolean {
    const at = this.#waiting.findIndex((run) => run[2] === id);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }
}

function changed(
  env: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string | undefined> {
  const all: Record<string, string | undefined> = { ...env };
  for (const [name, value] of Object.entries(changes)) all[name] = value ?? undefined;
  return all;
}
