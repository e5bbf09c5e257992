// Pipelines over ZeroMQ that lose nothing: a ventilator sends requests, workers answer them, a sink receives the results. Each is a program
// of its own, on one machine or several; see docs/guides/cluster-zeromq.md.
export { ReceiveTimeoutError } from "../../protocol/errors.ts";
export { ClusterWorker, type ClusterWorkerOptions, RESTART_EXIT_CODE, type WorkerExit } from "./cluster-worker.ts";
export { type Device, forwarder, streamer } from "./devices.ts";
export { type Curve, type Endpoint, type EndpointOptions, endpoint, type Place, type Places } from "./endpoint.ts";
export { type KeyPair, makeKeyPair } from "./make-key-pair.ts";
export type { ClusterRequest, ClusterResult, PingReply, ResultMetadata } from "./records.ts";
export { type CommandAnswer, ping, type SendCommandOptions, sendCommand } from "./send-command.ts";
export type { HubRoleOptions, RoleOptions } from "./settings.ts";
export { type ReceiveOptions, Sink, type SinkOptions } from "./sink.ts";
export { type SendOptions, Ventilator, type VentilatorOptions, type VentilatorSnapshot } from "./ventilator.ts";
