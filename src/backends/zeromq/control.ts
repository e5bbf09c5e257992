// Asks something of the hosts of pools: by way of pools that have bound, or of hosts that have bound themselves.
import { ConfigError, type ProtocolError } from "../../protocol/errors.ts";
import { anything, readOptions } from "../../protocol/options.ts";
import { type ClusterControl, type HostReport, isMeant } from "../cluster-control.ts";
import { readAnswer } from "../control-body.ts";
import { Client } from "./client.ts";
import type { Places } from "./endpoint.ts";
import { type Engine, loadEngine } from "./engine.ts";
import {
  connectedPlaces,
  HANDS_GOODBYE_MS,
  HANDS_LINK,
  HANDS_MESSAGE_BYTES,
  type HandsSecurity,
  SECURITY_RULES,
} from "./hands-link.ts";
import { Hub } from "./hub.ts";
import { Inquiries } from "./inquiries.ts";
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  newIdentity,
  ROLE_RULES,
  type RoleOptions,
  warner,
} from "./settings.ts";

export interface ZeromqControlOptions extends RoleOptions, HandsSecurity {
  /** Where pools have bound: their hosts are reached through them. */
  readonly connect?: Places;
  /** Where hosts have bound. One of the two has to be given. */
  readonly hosts?: Places;
}

/**
 * Reaches hosts: those that serve the pools at `connect`, for as long as these are there, or those at `hosts`.
 *
 * @throws ConfigError for a wrong option; BackendUnavailableError where the package `zeromq` is missing
 */
export async function zeromqControl(options: ZeromqControlOptions): Promise<ClusterControl> {
  const given = readOptions("zeromqControl()", options, {
    ...ROLE_RULES,
    ...SECURITY_RULES,
    connect: anything,
    hosts: anything,
  });
  const { connect, hosts, id = newIdentity(), maxMessageBytes = HANDS_MESSAGE_BYTES } = given;
  if ((connect === undefined) === (hosts === undefined)) {
    throw new ConfigError('Cannot use zeromqControl(): give one of "connect" and "hosts"');
  }
  const settings = { id, maxMessageBytes, warn: warner(given.onWarning) };
  if (hosts === undefined) {
    return await throughPools(connectedPlaces('option "connect" of zeromqControl()', connect, given), settings);
  }
  return await toHosts(connectedPlaces('option "hosts" of zeromqControl()', hosts, given), settings);
}

interface ControlSettings {
  readonly id: string;
  readonly maxMessageBytes: number;
  readonly warn: (error: ProtocolError) => void;
}

type Opened = ReturnType<typeof connectedPlaces>;

const TIMES = { heartbeatMs: DEFAULT_HEARTBEAT_MS, leaseMs: DEFAULT_LEASE_MS };

async function throughPools(places: Opened, { id, maxMessageBytes, warn }: ControlSettings): Promise<ClusterControl> {
  const engine: Engine = await loadEngine();
  const inquiries = new Inquiries(places.length, () => client.close(HANDS_GOODBYE_MS));
  const hello = { link: HANDS_LINK, id, role: "control" };
  const client: Client = new Client(
    engine,
    { hello, ...TIMES, maxMessageBytes },
    {
      opened: (peer) => inquiries.joined(peer, (body) => void client.send(peer, body)),
      delivered: (peer, body) => inquiries.heard(peer, readAnswer(body)),
      lost: (peer) => inquiries.left(peer),
      refused: (error) => inquiries.refused(error),
      garbage: warn,
    },
  );
  await client.open(places);
  return inquiries;
}

async function toHosts(places: Opened, { id, maxMessageBytes, warn }: ControlSettings): Promise<ClusterControl> {
  const engine: Engine = await loadEngine();
  const inquiries = new Inquiries(places.length, () => hub.close(HANDS_GOODBYE_MS));
  const hub: Hub = new Hub(
    engine,
    { link: HANDS_LINK, role: "control", id, ...TIMES, maxMessageBytes },
    {
      opened: (session, hello) => {
        const name = hello as unknown as Pick<HostReport, "id" | "host" | "pid">;
        inquiries.joined(
          session,
          (body) => hub.send(session, body),
          (ids) => isMeant(name, ids),
        );
      },
      delivered: (session, body) => inquiries.heard(session, readAnswer(body)),
      lost: (session) => inquiries.left(session),
      garbage: warn,
    },
  );
  await hub.open(places);
  return inquiries;
}
