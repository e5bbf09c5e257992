/** Why `run` ended. */
export interface WorkerExit {
  readonly reason: "kill" | "restart" | "close";
  /** For `process.exitCode`: 0, or 75 for a restart (`EX_TEMPFAIL`), or 1 where the kill command had an error. */
  readonly code: number;
  /** What the kill command said. */
  readonly error?: string;
}

export const RESTART_EXIT_CODE = 75;

/** What the command makes of a worker; undefined where it does not end one. */
export function exitOf(command: string, data: unknown): WorkerExit | undefined {
  if (command === "restart") return { reason: "restart", code: RESTART_EXIT_CODE };
  if (command !== "kill") return undefined;
  if (data === undefined) return { reason: "kill", code: 0 };
  return { reason: "kill", code: 1, error: typeof data === "string" ? data : JSON.stringify(data) };
}

/** What `run` waits for. Node 20 has no `Promise.withResolvers`. */
export class Exit {
  readonly promise: Promise<WorkerExit>;
  resolve!: (exit: WorkerExit) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
