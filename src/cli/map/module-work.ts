import { basename } from "node:path";
import type { Item } from "../input/item.ts";
import { type Formatted, formatResult, type Result } from "../output/format.ts";
import { toJson } from "../output/json.ts";
import type { MapSettings } from "./settings.ts";
import { type StartedPool, startModule } from "./start-pool.ts";
import { givenName, type ModuleSubject } from "./subject.ts";
import { previewOf } from "./tally.ts";
import type { Work } from "./work.ts";

const WORKER_NAMES = {
  threads: { worker: "thread", workers: "threads" },
  processes: { worker: "process", workers: "processes" },
  inline: { worker: "worker", workers: "workers" },
};

/** A task of a module. */
export class ModuleWork implements Work {
  readonly names: Work["names"];
  readonly #subject: ModuleSubject;
  readonly #settings: MapSettings;

  constructor(subject: ModuleSubject, settings: MapSettings) {
    this.names = { name: basename(subject.module), ...WORKER_NAMES[settings.workers.backend] };
    this.#subject = subject;
    this.#settings = settings;
  }

  start(signal: AbortSignal): Promise<StartedPool> {
    return startModule(this.#subject, this.#settings.workers, signal);
  }

  inputOf(item: Item): unknown {
    return item.value;
  }

  format(item: Item, result: Result): Formatted | undefined {
    return formatResult(this.#settings.outputFormat, item, result);
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
