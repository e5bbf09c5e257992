// A host over ZeroMQ: finds pools, and is found by them.
import { availableParallelism } from "node:os";
import { ConfigError, ProtocolError } from "../../protocol/errors.ts";
import { anything, func, positiveWholeNumber, type Rule, readOptions } from "../../protocol/options.ts";
import type { Backend } from "../backend.ts";
import { ClusterHost, type HostEnd } from "../cluster-host.ts";
import { isControl, readQuestion } from "../control-body.ts";
import type { HandsCounts } from "../hands-host.ts";
import { Client, type Peer } from "./client.ts";
import type { Places } from "./endpoint.ts";
import { loadEngine } from "./engine.ts";
import {
  HANDS_BODY_BYTES,
  HANDS_GOODBYE_MS,
  HANDS_LINK,
  HANDS_MESSAGE_BYTES,
  type HandsSecurity,
  handsPlaces,
  SECURITY_RULES,
} from "./hands-link.ts";
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  newIdentity,
  ROLE_RULES,
  type RoleOptions,
  warner,
} from "./settings.ts";

export interface ZeromqWorkerOptions extends RoleOptions, HandsSecurity {
  /** Pools that bind. */
  readonly connect?: Places;
  /** Where pools connect to. One of the two has to be given. */
  readonly bind?: Places;
  /** How many workers it lends to each pool; default the machine's available parallelism. */
  readonly hands?: number;
  /** Makes the backend of one pool's workers, none at first: `(concurrency) => threads(module, { size: 0, concurrency })`. */
  readonly backend: (concurrency: number) => Backend;
}

export interface ZeromqWorkerHandle {
  readonly id: string;
  /** What it has and had to do, in numbers. */
  readonly counts: HandsCounts;
  /** Resolves when it has ended. Rejects where a pool does not want it. */
  readonly done: Promise<HostEnd>;
  /** Finishes what it has, then ends. */
  quit(): void;
  /** The same, with `done` saying so. */
  restart(): void;
  /** Ends now. */
  terminate(): Promise<void>;
}

/**
 * Lends the hands of this machine to pools over ZeroMQ, until it is told to end.
 *
 * @throws ConfigError for a wrong option, or where it cannot bind; BackendUnavailableError where the package `zeromq` is missing
 */
export async function runZeromqWorker(options: ZeromqWorkerOptions): Promise<ZeromqWorkerHandle> {
  const given = readOptions("runZeromqWorker()", options, {
    ...ROLE_RULES,
    ...SECURITY_RULES,
    bind: anything,
    connect: anything,
    hands: positiveWholeNumber,
    backend: func as Rule<(concurrency: number) => Backend>,
  });
  const places = handsPlaces("runZeromqWorker()", given);
  const { backend } = given;
  if (backend === undefined) throw new ConfigError('Cannot use runZeromqWorker(): option "backend" is missing');
  const warn = warner(given.onWarning);
  const peers = new Map<string, Peer>();
  const sessions = new Map<Peer, string>();
  let count = 0;
  let refuse: (error: unknown) => void = () => {};
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  const host: ClusterHost = new ClusterHost({
    id: given.id ?? newIdentity(),
    hands: given.hands ?? availableParallelism(),
    backend,
    bodyBytes: HANDS_BODY_BYTES,
    send: (session, body) => {
      const peer = peers.get(session);
      if (peer !== undefined) client.send(peer, body);
    },
  });
  const forget = (peer: Peer): void => {
    const session = sessions.get(peer);
    if (session === undefined) return;
    sessions.delete(peer);
    peers.delete(session);
    host.hands.lost(session);
    host.forget(session);
  };
  const client: Client = new Client(
    await loadEngine(),
    {
      hello: { link: HANDS_LINK, id: host.id, role: "host", ...host.hello },
      heartbeatMs: DEFAULT_HEARTBEAT_MS,
      leaseMs: DEFAULT_LEASE_MS,
      maxMessageBytes: given.maxMessageBytes ?? HANDS_MESSAGE_BYTES,
      // A pool that is gone for good must not leave its workers at it.
      givesUp: true,
    },
    {
      opened: (peer, welcome) => {
        forget(peer);
        const session = String(++count);
        peers.set(session, peer);
        sessions.set(peer, session);
        // Who only asks needs no workers.
        if (welcome["role"] !== "control") host.hands.opened(session);
      },
      delivered: (peer, body) => {
        const session = sessions.get(peer);
        if (session === undefined) return;
        if (isControl(body)) host.answer(readQuestion(body), session, (answer) => void client.send(peer, answer));
        else host.hands.delivered(session, body);
      },
      lost: forget,
      refused: refuse,
      garbage: warn,
    },
  );
  await client.open(places);
  // Where nobody waits for it, a refusal is said by whoever does.
  refused.catch(() => {});
  return {
    id: host.id,
    get counts() {
      return host.hands.counts;
    },
    done: end(host, client, refused),
    quit: () => host.leave("quit"),
    restart: () => host.leave("restart"),
    terminate: () => host.terminate(),
  };
}

async function end(host: ClusterHost, client: Client, refused: Promise<never>): Promise<HostEnd> {
  try {
    return await Promise.race([host.left, refused]);
  } catch (error) {
    await host.terminate();
    throw error instanceof ProtocolError ? error : new ProtocolError(String(error));
  } finally {
    await client.close(HANDS_GOODBYE_MS);
  }
}
