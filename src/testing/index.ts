/**
 * For those who write a backend: the conformance suite that every backend of manyhands passes.
 *
 * ```ts
 * // pigeons.subject.ts: a module of its own, as the suite starts small programs that import it
 * import type { Subject } from "manyhands/testing";
 * import { pigeons } from "./pigeons.ts";
 *
 * export const subject: Subject = {
 *   name: "pigeons",
 *   module: new URL(import.meta.url),
 *   open: (module, options) => pigeons(module, options),
 *   traits: { isolates: true, canKill: false, … },
 * };
 *
 * // pigeons.test.ts, run with `node --test`
 * import { conformance } from "manyhands/testing";
 * import { subject } from "./pigeons.subject.ts";
 *
 * conformance(subject);
 * ```
 *
 * @module
 */

export { type ManualClock, manualClock } from "./clock.ts";
export { conformance } from "./conformance.ts";
export { type Faults, faulty } from "./faulty.ts";
export type { Subject, SubjectOptions, SubjectTraits } from "./subject.ts";
