import { basename } from "node:path";
import { type Argument, type Program, programs } from "../../backends/programs/index.ts";
import { Pool } from "../../index.ts";
import { Joblog } from "../command/joblog.ts";
import { dropOutput, formatOutput, tagOf } from "../command/output.ts";
import type { Template } from "../command/template.ts";
import type { Item } from "../input/item.ts";
import type { Formatted, Result } from "../output/format.ts";
import type { MapSettings } from "./settings.ts";
import { firstWorker, type StartedPool } from "./start-pool.ts";
import type { Work } from "./work.ts";

/** How long a program that is to end may take after SIGTERM, before SIGKILL. */
const ABORT_GRACE_MS = 500;

/** A program per item. */
export class CommandWork implements Work {
  readonly names: Work["names"];
  readonly #template: Template;
  readonly #settings: MapSettings;
  readonly #joblog: Joblog | undefined;

  constructor(template: Template, settings: MapSettings) {
    const { joblogFile } = settings;
    this.names = { name: basename(template.program ?? "command"), worker: "slot", workers: "slots" };
    this.#template = template;
    this.#settings = settings;
    this.#joblog = joblogFile === undefined ? undefined : new Joblog(joblogFile, template);
  }

  async start(signal: AbortSignal): Promise<StartedPool> {
    const { size, environment } = this.#settings.workers;
    const pool = new Pool(programs({ size, env: environment }), { abortGraceMs: ABORT_GRACE_MS });
    await firstWorker(pool, signal);
    return { pool, task: this.names.name };
  }

  inputOf(item: Item): Program {
    return { argv: this.#template.expand(item) };
  }

  format(item: Item, result: Result): Formatted | undefined {
    const { isTagged, outputFormat } = this.#settings;
    return formatOutput(outputFormat, item, result, isTagged ? this.tagOf(item) : undefined);
  }

  tagOf(item: Item): string {
    return tagOf(item);
  }

  rehearsal(item: Item): Uint8Array {
    return Buffer.concat([this.#template.show(this.#argvOf(item)), Buffer.from("\n")]);
  }

  async open(pool: Pool, onError: (file: string, error: Error) => void): Promise<void> {
    // What an attempt wrote that is not the last one is of no use.
    pool.on("taskRetried", ({ error }) => dropOutput(error));
    await this.#joblog?.open(onError);
  }

  settled(item: Item, result: Result): void {
    this.#joblog?.add(item, this.#argvOf(item), result);
  }

  async close(): Promise<void> {
    await this.#joblog?.close();
  }

  #argvOf(item: Item): readonly Argument[] {
    return this.#template.expand(item);
  }
}
