// Asks something of the hosts of a pool, by way of the pool.
import { type ProtocolError, ReceiveTimeoutError } from "../../protocol/errors.ts";
import { anything, readOptions } from "../../protocol/options.ts";
import type { ClusterControl, ControlOptions, HostLine, HostReport } from "../cluster-control.ts";
import { type Answer, type Ask, readAnswer, writeControl } from "../control-body.ts";
import { HANDS_HEARTBEAT_MS, HANDS_LEASE_MS, HANDS_LINK, HANDS_MESSAGE_BYTES } from "./backend.ts";
import { Client, type Peer } from "./client.ts";
import { type Places, readPlaces } from "./endpoint.ts";
import { loadEngine } from "./engine.ts";
import { newIdentity, ROLE_RULES, type RoleOptions, warner } from "./settings.ts";

export interface ZeromqControlOptions extends RoleOptions {
  /** Where a pool has bound. */
  readonly connect: Places;
}

const TIMEOUT_MS = 5_000;

/**
 * Reaches the hosts that serve a pool which has bound. Without such a pool nobody answers.
 *
 * @throws ConfigError for a wrong option; BackendUnavailableError where the package `zeromq` is missing
 */
export async function zeromqControl(options: ZeromqControlOptions): Promise<ClusterControl> {
  const given = readOptions("zeromqControl()", options, { ...ROLE_RULES, connect: anything });
  const places = readPlaces('option "connect" of zeromqControl()', given.connect);
  const control = new ZeromqControl();
  const client = new Client(
    await loadEngine(),
    {
      hello: { link: HANDS_LINK, id: given.id ?? newIdentity(), role: "control" },
      heartbeatMs: HANDS_HEARTBEAT_MS,
      leaseMs: HANDS_LEASE_MS,
      maxMessageBytes: given.maxMessageBytes ?? HANDS_MESSAGE_BYTES,
    },
    {
      opened: (peer) => control.opened(peer),
      delivered: (_, body) => control.delivered(readAnswer(body)),
      lost: () => control.lost(),
      refused: (error) => control.refused(error),
      garbage: warner(given.onWarning),
    },
  );
  control.client = client;
  await client.open(places);
  return control;
}

/** One question, and what has come of it. */
interface Pending {
  readonly reports: Map<string, HostReport>;
  asked: number;
  onLine: ((line: HostLine) => void) | undefined;
  isDone(): void;
}

class ZeromqControl implements ClusterControl {
  client: Client | undefined;
  readonly #pending = new Map<number, Pending>();
  #peer: Peer | undefined;
  #refusal: ProtocolError | undefined;
  #onChange: () => void = () => {};
  #number = 0;

  opened(peer: Peer): void {
    this.#peer = peer;
    this.#onChange();
  }

  lost(): void {
    this.#peer = undefined;
  }

  refused(error: ProtocolError): void {
    this.#refusal = error;
    this.#onChange();
  }

  delivered({ number, report, line, asked }: Answer): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    if (line !== undefined) pending.onLine?.(line);
    if (report !== undefined) pending.reports.set(report.id, report);
    if (asked !== undefined) pending.asked = asked;
    if (pending.reports.size >= pending.asked) pending.isDone();
  }

  ping(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("ping", options);
  }

  quit(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("quit", options);
  }

  restart(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("restart", options);
  }

  async logs(
    onLine: (line: HostLine) => void,
    { signal, ...options }: ControlOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const number = ++this.#number;
    await this.#ask("logs", options, number, onLine);
    await new Promise<void>((resolve) => {
      if (signal?.aborted === true) resolve();
      else signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#pending.delete(number);
    if (this.#peer !== undefined)
      this.client?.send(this.#peer, writeControl({ ask: "hush", number, ...idsOf(options) }));
  }

  async close(): Promise<void> {
    await this.client?.close(1_000);
  }

  async #ask(
    ask: Ask,
    options: ControlOptions = {},
    number = ++this.#number,
    onLine?: (line: HostLine) => void,
  ): Promise<readonly HostReport[]> {
    const { timeoutMs = TIMEOUT_MS } = options;
    const until = performance.now() + timeoutMs;
    const peer = await this.#connected(until, timeoutMs);
    const reports = new Map<string, HostReport>();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, until - performance.now());
      const isDone = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#pending.set(number, { reports, asked: Number.POSITIVE_INFINITY, onLine, isDone });
      this.client?.send(peer, writeControl({ ask, number, ...idsOf(options) }));
    });
    if (onLine === undefined) this.#pending.delete(number);
    return [...reports.values()];
  }

  async #connected(until: number, timeoutMs: number): Promise<Peer> {
    if (this.#peer === undefined && this.#refusal === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - performance.now());
        this.#onChange = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#peer === undefined)
      throw new ReceiveTimeoutError(`Cannot ask hosts: no pool answered within ${timeoutMs} ms`);
    return this.#peer;
  }
}

function idsOf({ ids }: ControlOptions): { readonly ids?: readonly string[] } {
  return ids === undefined ? {} : { ids };
}
