// The worker's side of one connection: what it can do, jobs in, answers out. Asks for as many jobs as there are slots and the server
// has work, and no more. Ends with the connection, and so do its jobs: what is said of one after that reaches nobody, as a server
// that was started again may have given its handle to another.
import { AssignedJob, type JobOwner } from "./assigned-job.ts";
import { Connection, type ConnectionListener, type ConnectionOptions, unexpected } from "./connection.ts";
import { GrabPace } from "./grab-pace.ts";
import { type Argument, argumentsOf, PacketType } from "./packet.ts";
import type { ServerAddress } from "./servers.ts";
import type { SlotSeeker, Slots } from "./slots.ts";

export interface WorkerLinkOptions extends ConnectionOptions {
  /** What it can do, read when it is connected. */
  readonly functions: ReadonlySet<string>;
  /** What it calls itself: at most 127 bytes without spaces. */
  readonly id: string;
  /** How many jobs it does at once; may be shared with other links. */
  readonly slots: Slots;
}

export interface WorkerLinkListener {
  /** The server knows what it can do. */
  ready(): void;
  /** A job to do, which is answered once. Its payload holds within the call. */
  job(job: AssignedJob): void;
  /** Everything was answered and delivered after `drain`, and the connection is closed. Nothing comes after it. */
  drained(): void;
  /** The connection is gone, after all its jobs were told. Nothing comes after it. */
  lost(cause: Error): void;
}

/** An idle server is asked that often for a job: it wakes nobody for one whose time has come, and may wake somebody who does not answer. */
const POLL_MS = 2_000;

const GRABS = [PacketType.GRAB_JOB_ALL, PacketType.GRAB_JOB_UNIQ, PacketType.GRAB_JOB] as const;

export class WorkerLink implements ConnectionListener, JobOwner, SlotSeeker {
  readonly server: ServerAddress;
  readonly #options: WorkerLinkOptions;
  readonly #listener: WorkerLinkListener;
  readonly #connection: Connection;
  readonly #slots: Slots;
  readonly #jobs = new Set<AssignedJob>();
  readonly #pace = new GrabPace();
  /** Which of GRABS the server understands. */
  #grab = 0;
  /** Asked for and not answered. Each holds a slot. */
  #grabs = 0;
  /** How many may be so. More with each job that comes, none when there was none. */
  #reach = 0;
  /** The server will say when there is a job. */
  #isAsleep = false;
  #isDraining = false;
  #isLeaving = false;
  #poll: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;

  constructor(server: ServerAddress, listener: WorkerLinkListener, options: WorkerLinkOptions) {
    this.server = server;
    this.#listener = listener;
    this.#options = options;
    this.#slots = options.slots;
    this.#connection = new Connection(server, this, options);
  }

  get isReady(): boolean {
    return this.#connection.isConnected;
  }

  /** Jobs that it has and has not answered. */
  get running(): number {
    return this.#jobs.size;
  }

  /** Bytes of answers that the server has not taken yet. */
  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  /** It can do this too. */
  register(fn: string): void {
    if (!this.isReady) return;
    this.#connection.send(PacketType.CAN_DO, fn);
    this.#awake();
  }

  /**
   * Asks for nothing more. What it has is done, answered and delivered, then it closes. It does not take back what it can do: the
   * server would give its jobs to others.
   */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#slots.forget(this);
    if (this.isReady) {
      this.#leave();
      return;
    }
    this.#isLeaving = true;
    this.#connection.destroy();
  }

  /** Closes at once. The server gives its jobs to others. */
  destroy(cause?: Error): void {
    this.#connection.destroy(cause);
  }

  ref(): void {
    this.#connection.ref();
  }

  unref(): void {
    this.#connection.unref();
  }

  /** @internal */
  connected(): void {
    this.#connection.send(PacketType.SET_CLIENT_ID, this.#options.id);
    for (const fn of this.#options.functions) this.#connection.send(PacketType.CAN_DO, fn);
    this.#listener.ready();
    this.#awake();
    this.#poll = setInterval(() => {
      if (this.#isAsleep) this.#awake();
    }, POLL_MS).unref();
  }

  /** @internal */
  packet(type: number): void {
    // What the server says of a result for a job that it does not know any more is no news: the job has gone to somebody else.
    if (type === PacketType.NOOP && this.#isAsleep) this.#awake();
  }

  /** @internal */
  lost(cause: Error): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pause);
    const jobs = [...this.#jobs];
    this.#jobs.clear();
    this.#slots.forget(this);
    for (const job of jobs) job.lost(cause);
    for (let i = 0; i < jobs.length; i++) this.#slots.give();
    if (this.#isLeaving) this.#listener.drained();
    else this.#listener.lost(cause);
  }

  /** @internal */
  slotFree(): void {
    this.#ask();
  }

  /** @internal */
  tell(job: AssignedJob, kind: "data" | "warning", bytes: Argument): void {
    // The Perl server has neither, and would answer with an error that looks like an answer to something else.
    if (this.#isOld) return;
    this.#connection.send(kind === "data" ? PacketType.WORK_DATA : PacketType.WORK_WARNING, handle(job), bytes);
  }

  /** @internal */
  tellStatus(job: AssignedJob, numerator: number, denominator: number): void {
    this.#connection.send(PacketType.WORK_STATUS, handle(job), String(numerator), String(denominator));
  }

  /** @internal */
  finish(job: AssignedJob, kind: "complete" | "exception", bytes: Argument): void {
    if (kind === "complete") this.#connection.send(PacketType.WORK_COMPLETE, handle(job), bytes);
    else {
      this.#connection.send(PacketType.WORK_EXCEPTION, handle(job), bytes);
      // For the C server that was the end, and another would be of a job unknown. For the Perl server it was not.
      if (this.#isOld) this.#connection.send(PacketType.WORK_FAIL, handle(job));
    }
    this.#done(job);
  }

  /** @internal */
  fail(job: AssignedJob): void {
    this.#connection.send(PacketType.WORK_FAIL, handle(job));
    this.#done(job);
  }

  get #isOld(): boolean {
    return GRABS[this.#grab] === PacketType.GRAB_JOB;
  }

  /** There may be jobs. */
  #awake(): void {
    this.#isAsleep = false;
    this.#reach = Math.max(this.#reach, 1);
    this.#ask();
  }

  /** Asks for jobs as far as it reaches and slots go. What is written goes out together with the answers of this turn. */
  #ask(): void {
    if (this.#isDraining || !this.isReady || this.#pause !== undefined) return;
    while (this.#grabs < this.#reach && this.#slots.take(this)) this.#grabOne();
  }

  #grabOne(): void {
    this.#grabs++;
    this.#isAsleep = false;
    this.#connection.ask(this.#grabbing, GRABS[this.#grab]!);
  }

  readonly #grabbing = {
    answered: (type: number, body: Buffer): void => {
      if (type === PacketType.ERROR) {
        this.#grabRefused();
        return;
      }
      const job = type === PacketType.NO_JOB ? undefined : assignedJob(this, type, body);
      this.#grabs--;
      if (job === undefined) this.#noJob();
      else this.#assigned(job);
    },
    lost: (): void => {
      this.#grabs--;
      this.#slots.give();
    },
  };

  /** The server does not know how to say who calls the job what, or who reduces it. Then it is asked for less. */
  #grabRefused(): void {
    this.#grabs--;
    this.#slots.give();
    if (this.#grab < GRABS.length - 1) this.#grab++;
    this.#reach = Math.max(this.#reach, 1);
    this.#ask();
  }

  #assigned(job: AssignedJob): void {
    this.#pace.gotJob();
    this.#jobs.add(job);
    // Where there was one there may be more. The slots set the limit.
    this.#reach = Math.min(this.#grabs + 2, this.#reach + 1);
    this.#listener.job(job);
    this.#ask();
  }

  #noJob(): void {
    this.#reach = 0;
    this.#slots.give();
    if (this.#grabs > 0 || this.#isDraining) {
      if (this.#isDraining) this.#leave();
      return;
    }
    const pauseMs = this.#pace.gotNone(performance.now());
    if (pauseMs === 0) this.#sleep();
    else {
      this.#pause = setTimeout(() => {
        this.#pause = undefined;
        this.#awake();
      }, pauseMs).unref();
    }
  }

  /** Only who has a slot free: who is woken and does not come keeps others waiting. */
  #sleep(): void {
    if (this.#slots.free === 0) {
      this.#reach = 1;
      this.#ask();
      return;
    }
    this.#isAsleep = true;
    this.#connection.send(PacketType.PRE_SLEEP);
  }

  #done(job: AssignedJob): void {
    // Lost jobs have been dealt with.
    if (!this.#jobs.delete(job)) return;
    this.#slots.give();
    // A server that had none before this says so when it has one.
    if (this.#isDraining) this.#leave();
    else this.#ask();
  }

  /** Closes when nothing is left and the server has what it was sent: it answers in order. */
  #leave(): void {
    if (this.#jobs.size > 0 || this.#grabs > 0 || this.#isLeaving) return;
    const answered = (): void => {
      this.#isLeaving = true;
      this.#connection.end();
    };
    this.#connection.ask({ answered, lost: () => {} }, PacketType.ECHO_REQ, "manyhands");
  }
}

function assignedJob(owner: JobOwner, type: number, body: Buffer): AssignedJob {
  const args = argumentsOf(type, body);
  const text = (at: number): string => args[at]!.toString("utf8");
  const handleText = args[0]!.toString("latin1");
  const payload = args.at(-1)!;
  switch (type) {
    case PacketType.JOB_ASSIGN_ALL:
      return new AssignedJob(owner, { handle: handleText, fn: text(1), unique: text(2), reducer: text(3), payload });
    case PacketType.JOB_ASSIGN_UNIQ:
      return new AssignedJob(owner, { handle: handleText, fn: text(1), unique: text(2), reducer: "", payload });
    case PacketType.JOB_ASSIGN:
      return new AssignedJob(owner, { handle: handleText, fn: text(1), unique: "", reducer: "", payload });
    default:
      throw unexpected(type, "GRAB_JOB");
  }
}

/** Handles are letters, digits and colons wherever they come from; bytes beyond that are kept as they are. */
function handle(job: AssignedJob): Argument {
  return isAscii(job.handle) ? job.handle : Buffer.from(job.handle, "latin1");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
