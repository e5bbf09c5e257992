// What a task's input means, and what a program's end is to its caller.
import type { Place } from "../../lineup.ts";
import type { Ended } from "./ended.ts";
import type { Output } from "./output.ts";
import type { Program } from "./program.ts";

export interface Face {
  /** What is run for an input. @throws TypeError for an input that means nothing */
  programOf(input: unknown, place: Place): Program;
  /** What it wrote on standard error goes to the pool as output of the task; otherwise it is part of the value. */
  readonly tellsStderr: boolean;
  /** The value of a run, or why it failed. Closes what it does not hand on. */
  outcomeOf(program: string, ended: Ended, stderr: Output): Outcome;
}

export type Outcome = { readonly value: unknown } | { readonly error: Error };
