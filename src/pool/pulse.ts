// When the core is asked: after whatever happened, when it said it wants to be, and never by polling. Keeps the process alive
// exactly while something is under way.
import type { Command } from "../core/command.ts";
import type { Scheduler } from "../core/scheduler.ts";

type Watcher = () => boolean;

export class Pulse {
  readonly #scheduler: Scheduler;
  readonly #carryOut: (command: Command) => void;
  /** Asked after each flush; the ones that answer true are done. */
  readonly #watchers = new Set<Watcher>();
  #isFlushing = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #due: NodeJS.Immediate | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #keepAlive: NodeJS.Timeout | undefined;
  #isKept = false;
  #operations = 0;

  constructor(scheduler: Scheduler, carryOut: (command: Command) => void) {
    this.#scheduler = scheduler;
    this.#carryOut = carryOut;
  }

  /** Flushes soon. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // A microtask comes after the callers whose promises were just resolved, and so gathers what they submit next.
    queueMicrotask(this.#flushScheduled);
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  readonly #flushDue = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.flush();
  };

  /** Lets the core do what is due, and carries out what it answers. */
  flush(): void {
    if (this.#isFlushing) {
      this.schedule();
      return;
    }
    this.#isFlushing = true;
    try {
      for (let commands = this.#scheduler.takeCommands(); ; ) {
        for (const command of commands) this.#carryOut(command);
        this.#scheduler.advance(performance.now());
        commands = this.#scheduler.takeCommands();
        if (commands.length === 0) break;
      }
    } finally {
      this.#isFlushing = false;
    }
    this.#arm();
    if (this.#watchers.size > 0) for (const watcher of this.#watchers) if (watcher()) this.#watchers.delete(watcher);
    this.#keep();
  }

  /** Resolves when `isDone` answers true; it is asked after whatever happens. The process stays alive meanwhile if it `keepsAlive`. */
  until(isDone: () => boolean, keepsAlive = true): Promise<void> {
    return new Promise((resolve) => {
      if (isDone()) {
        resolve();
        return;
      }
      if (keepsAlive) this.#operations++;
      this.#watchers.add(() => {
        if (!isDone()) return false;
        if (keepsAlive) this.#operations--;
        resolve();
        return true;
      });
      this.#keep();
    });
  }

  /** Nothing more is due. The process stays alive until `ending` has settled, and not on its account afterwards. */
  async stop(ending: Promise<unknown>): Promise<void> {
    clearTimeout(this.#timer);
    clearImmediate(this.#due);
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#operations++;
    this.#keep();
    try {
      await ending;
    } finally {
      this.#operations--;
      clearInterval(this.#keepAlive);
    }
  }

  #arm(): void {
    const at = this.#scheduler.nextWakeup();
    // An alarm that rings too early costs less than setting it anew each time.
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delay = Math.min(Math.max(1, at - performance.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      // Timers go first in a turn of the event loop. What has come by now is read before anybody is called late.
      this.#due = setImmediate(this.#flushDue);
    }, delay);
    this.#timer.unref();
  }

  /** Pending tasks keep the process alive; an idle pool does not. */
  #keep(): void {
    const isNeeded = this.#scheduler.live > 0 || this.#operations > 0;
    if (isNeeded === this.#isKept) return;
    this.#isKept = isNeeded;
    if (isNeeded) {
      this.#keepAlive ??= setInterval(() => {}, 2 ** 31 - 1);
      this.#keepAlive.ref();
    } else this.#keepAlive?.unref();
  }
}
