// The places where programs run: which of them starts next, how often it failed, and when it is given up.
import { backoff } from "../core/backoff.ts";

/** What is known of argument lists from earlier runs. */
export interface Past {
  /** From 0, always bad, to 1, always good. */
  scoreOf(argv: readonly string[]): number;
  good(argv: readonly string[]): void;
  bad(argv: readonly string[]): void;
}

/** Starts that fail in a row. */
const FAILURE_LIMIT = 3;
const RESTART_MS = 100;

/** One argument list, and what belongs to it. */
export interface PlaceSettings {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Those of it that other argument lists have not. */
  readonly ownEnv?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd: string | undefined;
  readonly host: string;
  readonly series: readonly string[];
}

export interface Place extends PlaceSettings {
  isTaken: boolean;
  failures: number;
  /** Why it is given up. */
  reason: unknown;
}

export class Lineup {
  readonly #places: Place[];
  readonly #past: Past | undefined;

  constructor(settings: readonly PlaceSettings[], past: Past | undefined) {
    this.#past = past;
    const score = (place: PlaceSettings): number => past?.scoreOf(place.argv) ?? 0;
    this.#places = settings.map((one) => ({ ...one, isTaken: false, failures: 0, reason: undefined }));
    // Who did well before starts first; equals keep their order.
    this.#places.sort((a, b) => score(b) - score(a));
  }

  /** The best free place. Where all are taken, one more like the first. */
  take(): Place {
    let place = this.#places.find((one) => !one.isTaken && one.reason === undefined);
    if (place === undefined) {
      const like = this.#places.find((one) => one.reason === undefined) ?? this.#places[0]!;
      place = { ...like, isTaken: false, failures: 0, reason: undefined };
      this.#places.push(place);
    }
    place.isTaken = true;
    return place;
  }

  /** The program there did a task. */
  did(place: Place): void {
    place.failures = 0;
    this.#past?.good(place.argv);
  }

  /** The program there did not start. Answers when it may be tried again, in milliseconds; -1 for never. */
  failed(place: Place, reason: unknown, isHopeless: boolean): number {
    place.isTaken = false;
    place.failures++;
    this.#past?.bad(place.argv);
    if (!isHopeless && place.failures < FAILURE_LIMIT) return backoff(place.failures, RESTART_MS, Math.random);
    place.reason = reason;
    return -1;
  }

  /** The program there ended by itself, at work: whose fault it was is the pool's business. */
  died(place: Place): void {
    place.isTaken = false;
    this.#past?.bad(place.argv);
  }

  /** The program there is never free, and others live. */
  giveUp(place: Place, reason: unknown): void {
    place.isTaken = false;
    place.reason = reason;
    this.#past?.bad(place.argv);
  }

  /** The program there ended as it should. */
  left(place: Place): void {
    place.isTaken = false;
  }

  /** Places that are not given up. */
  get open(): number {
    return this.#places.filter((place) => place.reason === undefined).length;
  }

  /** Each place's reason, where all are given up and there was more than one kind of them. */
  whyNone(): Error | undefined {
    if (this.open > 0) return undefined;
    const reasons = new Map(this.#places.map(({ argv, reason }) => [argv.join(" "), reason]));
    if (reasons.size < 2) return undefined;
    const lines = [...reasons].map(([what, reason]) => `${what}: ${messageOf(reason)}`);
    return new Error(`no command could be kept running:\n${lines.join("\n")}`);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
