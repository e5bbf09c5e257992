// Datagrams through job servers: a frame to somebody is one foreground job on that one's own function, answered with nothing as soon as it
// is there. Frames may get lost, with a server or a connection, and may come out of order: the sessions above see to that.
import type { ProtocolError } from "../../../protocol/errors.ts";
import { isControl } from "../../control-body.ts";
import { cancelJobs } from "../admin.ts";
import type { AssignedJob } from "../assigned-job.ts";
import type { JobListener } from "../client-link.ts";
import type { ServerState } from "../client-links.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { ServerAddress } from "../servers.ts";
import { Line } from "./line.ts";
import { ParcelWriter, readParcel } from "./parcel.ts";

export interface BusEars {
  /** @param server by which it came: its place in the list. The frame holds within the call. */
  frame(from: string, server: number, frame: Uint8Array): void;
  /** A question, which is to be answered by the job's result. */
  question(job: AssignedJob): void;
  up(server: number): void;
  down(server: number): void;
}

export interface BusSettings {
  readonly servers: readonly ServerAddress[];
  /** Of this party. */
  readonly fn: string;
  readonly connection: ConnectionOptions;
  /** It keeps the process alive. */
  readonly isHolding: boolean;
}

export class Bus {
  readonly fn: string;
  readonly #lines: readonly Line[];
  readonly #writer: ParcelWriter;
  readonly #connection: ConnectionOptions;
  /** What was sent and has not arrived, by function. */
  readonly #underWay = new Map<string, Set<Parcel>>();

  constructor({ servers, fn, connection, isHolding }: BusSettings, ears: BusEars) {
    this.fn = fn;
    this.#connection = connection;
    this.#writer = new ParcelWriter(fn);
    this.#lines = servers.map(
      (server, at) =>
        new Line(server, fn, connection, isHolding, {
          up: () => ears.up(at),
          down: () => ears.down(at),
          job: (job) => take(job, at, ears),
        }),
    );
  }

  open(): void {
    for (const line of this.#lines) line.open();
  }

  get servers(): readonly ServerAddress[] {
    return this.#lines.map(({ server }) => server);
  }

  get isUp(): boolean {
    return this.#lines.some(({ isUp }) => isUp);
  }

  isUpAt(server: number): boolean {
    return this.#lines[server]?.isUp === true;
  }

  /** How often the server has been reached: a number for each connection to it. */
  generationOf(server: number): number {
    return this.#lines[server]!.generation;
  }

  /** The servers, and which of them are there. */
  get states(): readonly ServerState[] {
    return this.#lines.map(({ server, isUp, lastError }) => ({ server: server.name, isConnected: isUp, lastError }));
  }

  /** Why servers are not reached. */
  get errors(): readonly Error[] {
    return this.#lines.flatMap(({ lastError }) => (lastError === undefined ? [] : [lastError]));
  }

  /** Sends by that server or, where it is not there, by the next that is. Without any the frame is lost. */
  send(to: string, server: number, frame: Uint8Array): void {
    const { length } = this.#lines;
    for (let i = 0; i < length; i++) {
      const at = (server + i) % length;
      const client = this.#lines[at]!.client;
      if (client === undefined) continue;
      const parcels = this.#parcelsTo(to);
      const parcel = new Parcel(at, parcels);
      client.submit({ fn: to, unique: "", data: this.#writer.wrap(frame), priority: "normal", listener: parcel });
      return;
    }
  }

  /** Nobody is there any more: what waits for them at the servers is cancelled. */
  forget(to: string): void {
    const parcels = this.#underWay.get(to);
    if (parcels === undefined) return;
    this.#underWay.delete(to);
    this.#lines.forEach((line, at) => {
      const handles = [...parcels].flatMap(({ server, handle }) => (server === at && handle !== "" ? [handle] : []));
      if (handles.length > 0 && line.isUp) cancelJobs(line.server, handles, this.#connection.tls);
    });
  }

  /** Sends what is left to send, and closes. */
  async close(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.close()));
  }

  #parcelsTo(to: string): Set<Parcel> {
    let parcels = this.#underWay.get(to);
    if (parcels === undefined) {
      parcels = new Set();
      this.#underWay.set(to, parcels);
    }
    return parcels;
  }
}

function take(job: AssignedJob, at: number, ears: BusEars): void {
  const { payload } = job;
  if (isControl(payload)) {
    ears.question(job);
    return;
  }
  let parcel: ReturnType<typeof readParcel>;
  try {
    parcel = readParcel(payload);
  } catch (error) {
    job.exception((error as ProtocolError).message);
    return;
  }
  job.complete("");
  ears.frame(parcel.from, at, parcel.frame);
}

/** A frame at a server. That it is lost is seen in the session. */
class Parcel implements JobListener {
  readonly server: number;
  handle = "";
  readonly #all: Set<Parcel>;

  constructor(server: number, all: Set<Parcel>) {
    this.server = server;
    this.#all = all;
    all.add(this);
  }

  created(handle: string): void {
    this.handle = handle;
  }

  data(): void {}
  warning(): void {}
  status(): void {}

  complete(): void {
    this.#all.delete(this);
  }

  exception(): void {
    this.#all.delete(this);
  }

  failed(): void {
    this.#all.delete(this);
  }

  refused(): void {
    this.#all.delete(this);
  }

  lost(): void {
    this.#all.delete(this);
  }
}
