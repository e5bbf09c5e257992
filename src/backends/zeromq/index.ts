// Pipelines over ZeroMQ that lose nothing: a ventilator sends requests, workers answer them, a sink receives the results. Each is a program
// of its own, on one machine or several; see docs/guides/cluster-zeromq.md.
export { ReceiveTimeoutError } from "../../protocol/errors.ts";
export type { ClusterControl, ControlOptions, HostLine, HostReport } from "../cluster-control.ts";
export type { HandsCounts } from "../hands-host.ts";
export { type ZeromqOptions, zeromq } from "./backend.ts";
export { ClusterWorker } from "./cluster-worker.ts";
export type { ClusterWorkerOptions } from "./cluster-worker-options.ts";
export { type ZeromqControlOptions, zeromqControl } from "./control.ts";
export { type Device, forwarder, streamer } from "./devices.ts";
export { type Curve, type Endpoint, type EndpointOptions, endpoint, type Place, type Places } from "./endpoint.ts";
export type { HandsSecurity } from "./hands-link.ts";
export { type KeyPair, makeKeyPair } from "./make-key-pair.ts";
export type { ClusterRequest, ClusterResult, PingReply, ResultMetadata } from "./records.ts";
export { type CommandAnswer, ping, type SendCommandOptions, sendCommand } from "./send-command.ts";
export type { HubRoleOptions, RoleOptions } from "./settings.ts";
export { Sink } from "./sink.ts";
export type { ReceiveOptions, SinkOptions } from "./sink-options.ts";
export { Ventilator, type VentilatorSnapshot } from "./ventilator.ts";
export type { SendOptions, VentilatorOptions } from "./ventilator-options.ts";
export { RESTART_EXIT_CODE, type WorkerExit } from "./worker-exit.ts";
export { runZeromqWorker, type ZeromqWorkerHandle, type ZeromqWorkerOptions } from "./worker-host.ts";
