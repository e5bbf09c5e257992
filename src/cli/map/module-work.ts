import { basename } from "node:path";
import type { Item } from "../input/item.ts";
import { type Formatted, formatResult, type Result } from "../output/format.ts";
import { toJson } from "../output/json.ts";
import { countSlots, type Host } from "./hosts.ts";
import type { MapSettings, WorkerSettings } from "./settings.ts";
import { type StartedPool, startModule } from "./start-pool.ts";
import { givenName, type ModuleSubject } from "./subject.ts";
import { previewOf } from "./tally.ts";
import type { Work } from "./work.ts";
import { WorkerHosts } from "./worker-hosts.ts";

const WORKER_NAMES = {
  threads: { worker: "thread", workers: "threads" },
  processes: { worker: "process", workers: "processes" },
  inline: { worker: "worker", workers: "workers" },
};

/** Hosts that are there are greeted sooner. */
const WAIT_BEFORE_SAYING_MS = 3_000;

/** A task of a module. */
export class ModuleWork implements Work {
  readonly names: Work["names"];
  readonly #subject: ModuleSubject;
  readonly #settings: MapSettings;
  readonly #hosts = new WorkerHosts();

  constructor(subject: ModuleSubject, settings: MapSettings) {
    const { backend, hosts, cluster } = settings.workers;
    const names = hosts.length === 0 && cluster === undefined ? WORKER_NAMES[backend] : WORKER_NAMES.inline;
    this.names = { name: basename(subject.module), ...names };
    this.#subject = subject;
    this.#settings = settings;
  }

  async start(signal: AbortSignal, say: (text: string) => void): Promise<StartedPool> {
    const { workers } = this.#settings;
    const { cluster } = workers;
    const waiting =
      cluster === undefined
        ? undefined
        : setTimeout(() => say(`waits for a worker host at ${cluster.url.text}`), WAIT_BEFORE_SAYING_MS);
    try {
      return await this.#startOn(workers, signal, say);
    } finally {
      clearTimeout(waiting);
    }
  }

  async #startOn(workers: WorkerSettings, signal: AbortSignal, say: (text: string) => void): Promise<StartedPool> {
    const hosts = workers.hosts.length === 0 ? here(workers) : await countSlots(workers, signal, say);
    return startModule({ subject: this.#subject, workers, hosts, onPool: (pool) => this.#hosts.watch(pool) }, signal);
  }

  inputOf(item: Item): unknown {
    return item.value;
  }

  format(item: Item, result: Result): Formatted | undefined {
    return formatResult(this.#settings.outputFormat, item, result, this.#hosts.of(result.workerId));
  }

  tagOf(item: Item): string {
    return previewOf(item);
  }

  rehearsal({ seq, value }: Item): string {
    return `{"seq":${seq},"task":${JSON.stringify(givenName(this.#subject))},"input":${toJson(value)}}\n`;
  }

  async open(): Promise<void> {}

  settled(): void {}

  async close(): Promise<void> {}
}

function here({ size }: WorkerSettings): readonly Host[] {
  return [{ host: undefined, slots: size }];
}
