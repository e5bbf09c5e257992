// What kind of world a seed makes: which backends, which faults, how long things take.
import type { BackendSpec } from "../../../src/core/backend-record.ts";
import type { CoreOptions } from "../../../src/core/core-state.ts";
import type { Profile } from "../../../src/core/task-table.ts";
import { type Random, random } from "../../../src/testing/random.ts";

export interface Ground {
  readonly spec: BackendSpec;
  readonly concurrency: number;
  readonly recalls: "at once" | "on request" | "never";
  /** Its workers' claims are known when they die. */
  readonly tellsBegun: boolean;
  /** Chances. */
  readonly startFails: number;
  readonly startHangs: number;
  readonly ignoresKill: number;
  readonly ignoresStop: number;
  readonly startMs: number;
  /** Of a message on its way, at most. */
  readonly latencyMs: number;
  /** How long an answer may wait for others. */
  readonly gatherMs: number;
}

/** How an attempt may end, with how often it does. */
export interface Weather {
  readonly complete: number;
  readonly throw: number;
  readonly permanent: number;
  readonly defer: number;
  readonly refuse: number;
  /** Never answers by itself. */
  readonly hang: number;
  /** Takes its worker along. */
  readonly die: number;
  /** Waits for its reader in between. */
  readonly stall: number;
}

export interface Scenario {
  readonly seed: number;
  readonly options: CoreOptions;
  readonly grounds: readonly Ground[];
  readonly weather: Weather;
  /** No worker fails, nothing is cancelled and nothing times out. */
  readonly isFair: boolean;
  /** Series 0 is none. */
  readonly series: number;
  readonly acts: number;
  readonly gapMs: number;
  readonly taskMs: number;
  /** How far durations spread around `taskMs`, in powers of ten. */
  readonly spread: number;
  readonly answersTwice: number;
  /** Tasks are added while answers and commands are being dealt with, as a map does that reads on. */
  readonly readsOn: boolean;
  readonly endsBy: "close" | "terminate" | "close in the middle" | "terminate in the middle";
}

const FAIR: Weather = { complete: 1, throw: 0, permanent: 0, defer: 0, refuse: 0, hang: 0, die: 0, stall: 0 };

export function scenarioOf(seed: number): Scenario {
  const dice = random(seed);
  const isFair = dice.chance(0.15);
  const taskMs = 10 ** (dice.next() * 9 - 2);
  const series = 1 + dice.below(3);
  return {
    seed,
    options: {
      random: random(seed + 1).next,
      agingMs: dice.chance(0.3) ? 10 ** (dice.next() * 6) : 0,
      poisonLimit: 1 + dice.below(4),
      abortGraceMs: 10 ** (dice.next() * 3),
      graceMs: 10 ** (dice.next() * 3),
    },
    grounds: Array.from({ length: 1 + dice.below(3) }, () => groundOf(dice, isFair, series, taskMs)),
    weather: isFair ? FAIR : weatherOf(dice),
    isFair,
    series,
    acts: 5 + dice.below(60),
    gapMs: taskMs * 10 ** (dice.next() * 2 - 1),
    taskMs,
    spread: dice.chance(0.5) ? 0.3 : 1 + dice.below(4),
    answersTwice: dice.chance(0.5) ? 0.1 : 0,
    readsOn: dice.chance(0.5),
    endsBy: dice.chance(0.6)
      ? "close"
      : pick(dice, ["terminate", "close in the middle", "terminate in the middle"] as const),
  };
}

const NO_ROOM = { min: 0, max: 0, idleMs: 10_000 };

function groundOf(dice: Random, isFair: boolean, series: number, taskMs: number): Ground {
  const recalls = pick(dice, ["at once", "at once", "on request", "on request", "never"] as const);
  const most = 1 + dice.below(4);
  const isElastic = dice.chance(0.4);
  const rarely = (probability: number): number => (!isFair && dice.chance(0.4) ? probability : 0);
  const latencyMs = dice.chance(0.3) ? 0 : dice.chance(0.7) ? 0.2 : taskMs;
  const startMs = dice.chance(0.3) ? 0 : 10 ** (dice.next() * 4);
  // Its workers are on hosts that come and go.
  const roomVaries = dice.chance(0.15);
  return {
    spec: {
      sendsAhead: dice.chance(0.85),
      roomVaries,
      recalls: recalls !== "never",
      size: roomVaries
        ? NO_ROOM
        : { min: isElastic ? dice.below(most + 1) : most, max: most, idleMs: 10 ** (dice.next() * 6) },
      series: Array.from({ length: series }, (_, one) => one).filter((one) => one > 0 && dice.chance(0.5)),
      startTimeoutMs: isFair ? 0 : 10 ** (1 + dice.next() * 4),
      maxTasks: dice.chance(0.2) ? 1 + dice.below(8) : 0,
    },
    concurrency: dice.chance(0.6) ? 1 : 2 + dice.below(3),
    recalls,
    tellsBegun: dice.chance(0.5),
    startFails: rarely(dice.chance(0.1) ? 1 : 0.2),
    startHangs: rarely(0.1),
    ignoresKill: rarely(0.2),
    ignoresStop: rarely(0.2),
    startMs,
    latencyMs,
    gatherMs: dice.chance(0.5) ? 0 : dice.next() * 2,
  };
}

function weatherOf(dice: Random): Weather {
  const some = (most: number): number => (dice.chance(0.5) ? dice.next() * most : 0);
  return {
    complete: 1,
    throw: some(0.5),
    permanent: some(0.1),
    defer: some(0.2),
    refuse: some(0.1),
    hang: some(0.1),
    die: some(0.15),
    stall: some(0.2),
  };
}

/** A duration around the scenario's. */
export function durationOf(scenario: Scenario, dice: Random): number {
  return scenario.taskMs * 10 ** ((dice.next() - 0.5) * 2 * scenario.spread);
}

export function profileOf(scenario: Scenario, dice: Random): Profile {
  const { isFair, taskMs } = scenario;
  const atMostOnce = dice.chance(0.1);
  return {
    series: dice.chance(0.6) ? 0 : dice.below(scenario.series),
    retries: atMostOnce ? 0 : dice.chance(0.3) ? -1 : dice.below(4),
    retryDelayMs: dice.chance(0.3) ? 0 : taskMs * dice.next() * 2,
    timeoutMs: !isFair && dice.chance(0.4) ? taskMs * 10 ** (dice.next() * 2) : 0,
    deadlineMs: !isFair && dice.chance(0.15) ? taskMs * 10 ** (dice.next() * 3) : 0,
    atMostOnce,
    isChunk: !atMostOnce && dice.chance(0.1),
  };
}

export function priorityOf(dice: Random): number {
  if (dice.chance(0.5)) return 0;
  return dice.chance(0.05)
    ? dice.chance(0.5)
      ? Number.POSITIVE_INFINITY
      : Number.NEGATIVE_INFINITY
    : dice.below(7) - 3;
}

export function pick<T>(dice: Random, from: readonly T[]): T {
  return from[dice.below(from.length)]!;
}

/** One of the keys, each as often as it weighs. */
export function pickWeighted<K extends string>(dice: Random, weights: Readonly<Record<K, number>>): K {
  const names = Object.keys(weights) as K[];
  let left = dice.next() * names.reduce((sum, name) => sum + weights[name], 0);
  for (const name of names) {
    left -= weights[name];
    if (left < 0) return name;
  }
  return names[0]!;
}
