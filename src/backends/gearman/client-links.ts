// A client's connections to all its servers: which one to use next, and who waits for there to be one.
import { BackendUnavailableError } from "../../protocol/errors.ts";
import { ClientLink } from "./client-link.ts";
import { CONNECT_TIMEOUT_MS, type ConnectionOptions } from "./connection.ts";
import { Reconnecting } from "./reconnecting.ts";
import type { ServerAddress } from "./servers.ts";

/** Who needs a connection. Gets exactly one of the two calls, unless it is forgotten before. */
export interface LinkUser {
  /** Jobs of the same unique go to the same server while that is there; an empty one goes anywhere. */
  readonly unique: string;
  linked(link: ClientLink): void;
  unavailable(error: Error): void;
}

/** What is known of one server. */
export interface ServerState {
  readonly server: string;
  readonly isConnected: boolean;
  /** Why it is not connected, where that is known. */
  readonly lastError: Error | undefined;
}

interface Line {
  readonly server: ServerAddress;
  readonly reconnecting: Reconnecting;
  link: ClientLink | undefined;
  lastError: Error | undefined;
  /** The first attempt has ended, well or badly. */
  isTried: boolean;
}

/** How long the first server that is there waits for the others, before it takes all that has been submitted. */
const SPREAD_MS = 100;

export class ClientLinks {
  readonly #options: ConnectionOptions;
  readonly #lines: readonly Line[];
  /** Who waits, and until when. As all wait equally long, the first in it are the first to give up. */
  readonly #waiting = new Map<LinkUser, number>();
  #giveUpTimer: NodeJS.Timeout | undefined;
  #spreadTimer: NodeJS.Timeout | undefined;
  #next = 0;
  #isOpen = false;
  #isClosed = false;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(servers: readonly ServerAddress[], options: ConnectionOptions) {
    this.#options = options;
    this.#lines = servers.map((server) => {
      const line: Line = {
        server,
        reconnecting: new Reconnecting(() => this.#connect(line)),
        link: undefined,
        lastError: undefined,
        isTried: false,
      };
      return line;
    });
  }

  /** Hands the user a connection: now, when there is one, or never, within `connectTimeoutMs`. */
  use(user: LinkUser): void {
    if (!this.#isOpen) this.#open();
    const link = this.#waiting.size === 0 ? this.#choose(user.unique) : undefined;
    if (link !== undefined) {
      user.linked(link);
      return;
    }
    this.#waiting.set(user, performance.now() + (this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS));
    this.#watch();
  }

  /** It does not need one any more. */
  forget(user: LinkUser): void {
    this.#waiting.delete(user);
  }

  /** All that are connected. */
  ready(): ClientLink[] {
    return this.#lines.flatMap(({ link }) => (link?.isReady === true ? [link] : []));
  }

  states(): ServerState[] {
    return this.#lines.map(({ server, link, lastError }) => {
      const isConnected = link?.isReady === true;
      return { server: server.name, isConnected, lastError: isConnected ? undefined : lastError };
    });
  }

  /**
   * Closes all connections and resolves when they are closed. Who waits for one hears `why`. May be called again.
   * @param isAtOnce without sending what is left to send
   */
  close(why: Error, isAtOnce: boolean): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#giveUpTimer);
    clearTimeout(this.#spreadTimer);
    for (const user of this.#waiting.keys()) if (this.#waiting.delete(user)) user.unavailable(why);
    for (const { link, reconnecting } of this.#lines) {
      reconnecting.stop();
      link?.ref();
      if (link?.isReady === true && !isAtOnce) link.end();
      else link?.destroy();
    }
    this.#closing ??= new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#toldClosed();
    return this.#closing;
  }

  #open(): void {
    this.#isOpen = true;
    for (const line of this.#lines) this.#connect(line);
  }

  #connect(line: Line): void {
    const ready = (): void => {
      line.isTried = true;
      line.reconnecting.established();
      this.#serve();
    };
    const lost = (cause: Error): void => {
      line.isTried = true;
      line.link = undefined;
      line.lastError = cause;
      line.reconnecting.lost();
      if (this.#isClosed) this.#toldClosed();
      else this.#serve();
    };
    line.link = new ClientLink(line.server, { ready, lost }, this.#options);
    // What keeps the process alive is what the client has to do.
    line.link.unref();
  }

  #toldClosed(): void {
    if (this.#lines.every(({ link }) => link === undefined)) this.#onClosed?.();
  }

  /** Gives those who wait a connection, once it is known which servers there are. */
  #serve(): void {
    if (this.#isClosed || this.#waiting.size === 0 || this.ready().length === 0) return;
    if (this.#lines.every(({ isTried }) => isTried)) this.#handOut();
    else this.#spreadTimer ??= setTimeout(() => this.#handOut(), SPREAD_MS).unref();
  }

  #handOut(): void {
    clearTimeout(this.#spreadTimer);
    this.#spreadTimer = undefined;
    for (const user of this.#waiting.keys()) {
      const link = this.#choose(user.unique);
      if (link === undefined) return;
      if (this.#waiting.delete(user)) user.linked(link);
    }
  }

  /** One that is connected: always the same for a unique, else each in its turn. */
  #choose(unique: string): ClientLink | undefined {
    const { length } = this.#lines;
    const first = unique === "" ? this.#next : hash(unique) % length;
    for (let i = 0; i < length; i++) {
      const at = (first + i) % length;
      const { link } = this.#lines[at]!;
      if (link?.isReady !== true) continue;
      if (unique === "") this.#next = (at + 1) % length;
      return link;
    }
    return undefined;
  }

  #watch(): void {
    if (this.#giveUpTimer !== undefined || this.#waiting.size === 0) return;
    const [until] = this.#waiting.values();
    this.#giveUpTimer = setTimeout(
      () => {
        this.#giveUpTimer = undefined;
        this.#giveUp();
      },
      Math.max(0, until! - performance.now()),
    ).unref();
  }

  #giveUp(): void {
    const now = performance.now();
    let error: BackendUnavailableError | undefined;
    for (const [user, until] of this.#waiting) {
      // Timers may be early by a millisecond.
      if (until > now + 1) break;
      error ??= this.#unavailable();
      if (this.#waiting.delete(user)) user.unavailable(error);
    }
    this.#watch();
  }

  #unavailable(): BackendUnavailableError {
    const names = this.#lines.map(({ server }) => `"${server.name}"`).join(", ");
    const causes = this.#lines.flatMap(({ lastError }) => (lastError === undefined ? [] : [lastError]));
    const cause = causes.length > 1 ? new AggregateError(causes, "No server is there") : causes[0];
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const why = causes[0] === undefined ? "" : ` (${causes[0].message})`;
    return new BackendUnavailableError(
      `Cannot reach Gearman server ${names}: none was there within ${connectTimeoutMs} ms${why}`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
