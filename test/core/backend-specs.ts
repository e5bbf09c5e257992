// What the core is told of a backend, for its tests.
import type { BackendSpec, WorkerCount } from "../../src/core/backend-record.ts";

export function backendSpec(differences: Partial<BackendSpec> = {}): BackendSpec {
  return {
    sendsAhead: true,
    recalls: true,
    roomVaries: false,
    size: exactly(1),
    series: [],
    startTimeoutMs: 30_000,
    maxTasks: 0,
    ...differences,
  };
}

export function exactly(size: number): WorkerCount {
  return { min: size, max: size, idleMs: 10_000 };
}
