import type { Ending } from "./exit-codes.ts";

/** A reason to end the program that its user can act on: printed as one sentence, without a stack. */
export class Complaint extends Error {
  readonly ending: Ending;

  constructor(ending: Ending, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Complaint";
    this.ending = ending;
  }
}

/** A wrong flag, argument or input: exit 2, before the first item runs. */
export function wrongUsage(message: string, options?: ErrorOptions): Complaint {
  return new Complaint("usage", message, options);
}

/** What a thrown value says, in one line. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
