// One backend as the core sees it: what it can do, how many workers it should have, whether its starts keep failing.

/** How many workers a backend should have. With `min === max` it is a fixed number. */
export interface WorkerCount {
  readonly min: number;
  readonly max: number;
  /** How long a worker above `min` may idle before it is stopped. */
  readonly idleMs: number;
}

/** What the core needs to know of a backend's abilities. */
export interface CoreTraits {
  /** Takes tasks ahead of those a worker runs. */
  readonly sendsAhead: boolean;
  /** Can take back what a worker has not begun. */
  readonly recalls: boolean;
  /** How many workers it may have comes and goes with the machines they are on. Without any it is not given up. */
  readonly roomVaries: boolean;
}

export interface BackendSpec extends CoreTraits {
  readonly size: WorkerCount;
  readonly series: Iterable<number>;
  readonly startTimeoutMs: number;
  /** A worker is replaced after so many tasks; 0 for never. */
  readonly maxTasks: number;
}

export class BackendRecord {
  readonly index: number;
  readonly spec: BackendSpec;
  readonly serves: ReadonlySet<number>;
  size: WorkerCount;
  /** Workers that are starting or up. */
  live = 0;
  /** Starts that failed in a row. */
  startFailures = 0;
  /** Workers that died in a row without having had anything to do. */
  idleDeaths = 0;
  nextStartAt = 0;
  /** Why it is given up; undefined while it is not. */
  failure: { readonly cause: unknown } | undefined;
  isRemoved = false;

  constructor(index: number, spec: BackendSpec) {
    this.index = index;
    this.spec = spec;
    this.size = spec.size;
    this.serves = new Set([0, ...spec.series]);
  }

  /** What went wrong until now counts no more. */
  forgive(): void {
    this.failure = undefined;
    this.startFailures = 0;
    this.idleDeaths = 0;
    this.nextStartAt = 0;
  }

  get isElastic(): boolean {
    return this.size.min !== this.size.max;
  }

  /** Whether it has workers or may come to have some. */
  get canServe(): boolean {
    if (this.isRemoved) return this.live > 0;
    if (this.live > 0) return true;
    return this.failure === undefined && (this.spec.roomVaries || this.size.max > 0);
  }
}
