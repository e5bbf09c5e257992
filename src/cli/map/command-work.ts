import { basename } from "node:path";
import { type Argument, type Program, programs } from "../../backends/command/programs/index.ts";
import { Pool, TaskTimeoutError } from "../../index.ts";
import { Joblog } from "../command/joblog.ts";
import { LateRuns } from "../command/late-runs.ts";
import { dropOutput, formatOutput, tagOf, withRun } from "../command/output.ts";
import type { Template } from "../command/template.ts";
import { Complaint, messageOf } from "../complaint.ts";
import type { Item } from "../input/item.ts";
import type { Formatted, Result } from "../output/format.ts";
import { countSlots } from "./hosts.ts";
import { idOf } from "./pool-events.ts";
import type { MapSettings } from "./settings.ts";
import { firstWorker, type StartedPool } from "./start-pool.ts";
import type { Work } from "./work.ts";
import { WorkerHosts } from "./worker-hosts.ts";

/** How long a program that is to end may take after SIGTERM, before SIGKILL. */
const ABORT_GRACE_MS = 500;

/** A program per item. */
export class CommandWork implements Work {
  readonly names: Work["names"];
  readonly #template: Template;
  readonly #settings: MapSettings;
  readonly #joblog: Joblog | undefined;
  readonly #hosts = new WorkerHosts();
  readonly #late = new LateRuns();

  constructor(template: Template, settings: MapSettings) {
    const { joblogFile } = settings;
    this.names = { name: basename(template.program ?? "command"), worker: "slot", workers: "slots" };
    this.#template = template;
    this.#settings = settings;
    this.#joblog = joblogFile === undefined ? undefined : new Joblog(joblogFile, template);
  }

  async start(signal: AbortSignal, say: (text: string) => void): Promise<StartedPool> {
    const { workers } = this.#settings;
    const { size, environment: env, hosts, ssh } = workers;
    const where = hosts.length === 0 ? { size } : { hosts: await countSlots(workers, signal, say) };
    const onAborted = this.#late.told;
    const pool = new Pool(programs({ ...where, env, onAborted, ...(ssh === undefined ? {} : { ssh }) }), {
      abortGraceMs: ABORT_GRACE_MS,
    });
    this.#hosts.watch(pool);
    try {
      await firstWorker(pool, signal);
    } catch (error) {
      await pool.terminate();
      throw signal.aborted ? error : new Complaint("noWorker", messageOf(error), { cause: error });
    }
    return { pool, task: this.names.name };
  }

  inputOf(item: Item): Program {
    return { argv: this.#template.expand(item) };
  }

  /** Of a program that took too long, what it wrote until it had ended. */
  format(item: Item, result: Result): Formatted | undefined | Promise<Formatted | undefined> {
    if (result.index === undefined || !(result.error instanceof TaskTimeoutError)) return this.#format(item, result);
    return this.#late.of(idOf(result.index)).then((ended) => this.#format(item, withRun(result, ended)));
  }

  #format(item: Item, result: Result): Formatted | undefined {
    const { isTagged, outputFormat } = this.#settings;
    const host = this.#hosts.of(result.workerId);
    return formatOutput(outputFormat, item, result, isTagged ? this.tagOf(item) : undefined, host);
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
