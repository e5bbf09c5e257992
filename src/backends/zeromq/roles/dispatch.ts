// Decides which worker gets which request. Requests leave in the order in which they came, to whoever has credit; what a lost worker held
// goes again, first of all. Knows no sockets, clocks or values' meaning.

/** A request on its way to the sink. */
export interface Parcel {
  readonly number: number;
  readonly payload: unknown;
  readonly metadata: unknown;
  /** How often it was sent. */
  attempt: number;
  /** How often a worker was lost that had nothing else. */
  losses: number;
  /** How many a worker may have in all when it has this one: fewer each time that a worker was lost with it. */
  company: number;
  /** It fails without being run, for this reason. */
  verdict: Verdict | undefined;
}

export type Verdict =
  | { readonly type: "poison"; readonly losses: number }
  | { readonly type: "error"; readonly error: unknown };

export interface Sending {
  readonly worker: string;
  readonly parcels: readonly Parcel[];
}

interface WorkerRecord {
  credit: number;
  /** What it has and the sink has not, in the order of sending. */
  readonly held: Map<number, Parcel>;
  /** The least company that one of those wants. */
  company: number;
}

/** With so many lost at once, the next try has the parts of this many. */
const PARTS = 8;
const MAX_PARCELS = 4_096;

export class Dispatch {
  readonly #poisonLimit: number;
  readonly #workers = new Map<string, WorkerRecord>();
  readonly #known = new Map<number, string | undefined>();
  #queue: Parcel[] = [];
  #head = 0;
  /** What goes again, in order; the last one first. */
  #again: Parcel[] = [];
  #next = 0;
  #done = 0;
  #requeued = 0;

  constructor(poisonLimit: number) {
    this.#poisonLimit = poisonLimit;
  }

  /** How many wait for a worker. */
  get queued(): number {
    return this.#queue.length - this.#head + this.#again.length;
  }

  /** How many have come in and are not with the sink. */
  get pending(): number {
    return this.#known.size;
  }

  /** How many the sink has. */
  get done(): number {
    return this.#done;
  }

  get requeued(): number {
    return this.#requeued;
  }

  get workers(): number {
    return this.#workers.size;
  }

  /** How many could be sent at once. */
  get credit(): number {
    let credit = 0;
    for (const worker of this.#workers.values()) credit += worker.credit;
    return credit;
  }

  add(payload: unknown, metadata: unknown): number {
    const number = this.#next++;
    this.#known.set(number, undefined);
    this.#queue.push({
      number,
      payload,
      metadata,
      attempt: 0,
      losses: 0,
      company: Number.POSITIVE_INFINITY,
      verdict: undefined,
    });
    return number;
  }

  workerUp(worker: string): void {
    this.#workers.set(worker, { credit: 0, held: new Map(), company: Number.POSITIVE_INFINITY });
  }

  /** The worker takes so many more. */
  grant(worker: string, credit: number): void {
    const record = this.#workers.get(worker);
    if (record !== undefined) record.credit = Math.min(MAX_PARCELS * 16, record.credit + credit);
  }

  /** The sink has these. Whoever says so: a request may have been with several workers. */
  taken(numbers: readonly number[]): void {
    for (const number of numbers) {
      if (!this.#known.has(number)) continue;
      const worker = this.#known.get(number);
      this.#known.delete(number);
      this.#done += 1;
      // Without a worker it waits to go again: it is passed over when its turn comes.
      if (worker !== undefined) this.#release(worker, number);
    }
  }

  /** The worker gives these back unbegun; they go first, and it is no loss. */
  returned(worker: string, numbers: readonly number[]): void {
    const record = this.#workers.get(worker);
    if (record === undefined) return;
    const back: Parcel[] = [];
    for (const number of numbers) {
      const parcel = record.held.get(number);
      if (parcel === undefined) continue;
      this.#release(worker, number);
      parcel.attempt -= 1;
      back.push(parcel);
    }
    this.#requeue(back);
  }

  /** The worker is gone. @param isLoss whether what it held may be to blame */
  workerDown(worker: string, isLoss: boolean): void {
    const record = this.#workers.get(worker);
    if (record === undefined) return;
    this.#workers.delete(worker);
    const held = [...record.held.values()];
    if (isLoss) {
      // Which one it was nobody knows; so they go again in smaller and smaller company, and only a loss of one alone counts.
      const company = Math.max(1, Math.floor(held.length / PARTS));
      for (const parcel of held) {
        if (held.length > 1) parcel.company = Math.min(parcel.company, company);
        else if (++parcel.losses >= this.#poisonLimit) parcel.verdict = { type: "poison", losses: parcel.losses };
      }
    }
    this.#requeue(held);
  }

  /** What is to be sent now. */
  dispatch(): Sending[] {
    const sendings: Sending[] = [];
    let hungry = 0;
    for (const { credit } of this.#workers.values()) if (credit > 0) hungry += 1;
    if (hungry === 0) return sendings;
    for (const [worker, record] of this.#workers) {
      if (record.credit === 0) continue;
      // Nobody takes what another could begin at once.
      const share = Math.ceil(this.queued / hungry--);
      const parcels = this.#fill(worker, record, Math.min(share, record.credit, MAX_PARCELS));
      if (parcels.length > 0) sendings.push({ worker, parcels });
    }
    return sendings;
  }

  /** It cannot be sent, and fails for that reason instead. */
  condemn(parcel: Parcel, error: unknown): void {
    parcel.verdict = { type: "error", error };
  }

  /** Forgets everything that the sink has not, and answers how many that were. */
  clear(): number {
    const dropped = this.#known.size;
    this.#known.clear();
    for (const { held } of this.#workers.values()) held.clear();
    this.#queue = [];
    this.#again = [];
    this.#head = 0;
    return dropped;
  }

  #fill(worker: string, record: WorkerRecord, most: number): Parcel[] {
    const parcels: Parcel[] = [];
    while (parcels.length < most) {
      const parcel = this.#peek();
      if (parcel === undefined) break;
      const company = Math.min(record.company, parcel.company);
      if (record.held.size > 0 && record.held.size >= company) break;
      this.#drop();
      record.company = company;
      record.credit -= 1;
      record.held.set(parcel.number, parcel);
      this.#known.set(parcel.number, worker);
      parcel.attempt += 1;
      parcels.push(parcel);
    }
    return parcels;
  }

  #peek(): Parcel | undefined {
    for (;;) {
      const parcel = this.#again.at(-1) ?? this.#queue[this.#head];
      if (parcel === undefined || this.#known.has(parcel.number)) return parcel;
      // The sink got it meanwhile, from the worker that was thought lost.
      this.#drop();
    }
  }

  #drop(): void {
    if (this.#again.length > 0) {
      this.#again.pop();
      return;
    }
    this.#head += 1;
    if (this.#head < 1_024 || this.#head * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  #requeue(parcels: readonly Parcel[]): void {
    this.#requeued += parcels.length;
    for (let at = parcels.length - 1; at >= 0; at--) {
      const parcel = parcels[at]!;
      this.#known.set(parcel.number, undefined);
      this.#again.push(parcel);
    }
  }

  #release(worker: string, number: number): void {
    const record = this.#workers.get(worker);
    if (record === undefined) return;
    record.held.delete(number);
    if (record.held.size === 0) record.company = Number.POSITIVE_INFINITY;
  }
}
