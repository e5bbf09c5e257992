/**
 * Gearman's own protocol: a client, a worker and an administrator for any Gearman server, beside workers and clients in any language.
 *
 * ```ts
 * import { GearmanClient, GearmanWorker } from "manyhands/gearman";
 *
 * const worker = new GearmanWorker("localhost:4730", { concurrency: 8 });
 * worker.register("upper", (payload) => payload.toString().toUpperCase());
 * void worker.run();
 *
 * const client = new GearmanClient("localhost:4730");
 * console.log((await client.submit("upper", "abc")).toString()); // ABC
 * ```
 */
export {
  type ConnectedWorker,
  type FunctionStatus,
  GearmanAdmin,
  type GearmanAdminOptions,
  type MaxQueue,
  type PriorityStatus,
  type QueuedJob,
} from "./admin.ts";
export { type BackgroundJob, GearmanClient } from "./client.ts";
export type { JobPriority } from "./client-link.ts";
export type { ServerState } from "./client-links.ts";
export type { BackgroundOptions, GearmanClientOptions, SubmitOptions } from "./client-options.ts";
export { type GearmanOptions, gearman } from "./cluster/backend.ts";
export { type GearmanControlOptions, gearmanControl } from "./cluster/control.ts";
export { type GearmanHost, runGearmanWorker } from "./cluster/host.ts";
export type { GearmanHostOptions } from "./cluster/host-options.ts";
export { GearmanError } from "./gearman-error.ts";
export type { JobStatus } from "./job-status.ts";
export type { RawCodec, RawFunction, RawFunctions } from "./raw.ts";
export type { TlsOptions } from "./socket.ts";
export { GearmanWorker, type GearmanWorkerOptions, type RegisterOptions } from "./worker.ts";
export type { GearmanHandler, GearmanJob, HandlerResult } from "./worker-job.ts";
