// Answers what people ask a host by way of the job server: a question is a job, and its answer the job's result. A listener's job stays
// open while lines come, and is followed by another before it ends, since a server tells nobody that a client has gone.
import { ProtocolError } from "../../../protocol/errors.ts";
import type { ClusterHost } from "../../cluster-host.ts";
import { type Question, readQuestion } from "../../control-body.ts";
import type { AssignedJob } from "../assigned-job.ts";

/** How long a listener is told of lines without asking again. */
export const LISTEN_MS = 10_000;
/** Each takes a slot of those by which frames come. */
const MAX_LISTENERS = 16;

interface Listening {
  readonly job: AssignedJob;
  readonly timer: NodeJS.Timeout;
}

export class Desk {
  readonly #host: ClusterHost;
  /** By who asks. */
  readonly #listening = new Map<string, Listening>();

  constructor(host: ClusterHost) {
    this.#host = host;
  }

  answer(job: AssignedJob): void {
    let question: Question;
    try {
      question = readQuestion(job.payload);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      job.exception(error.message);
      return;
    }
    const { ask, from = "" } = question;
    if (ask === "logs") this.#listen(job, from, question);
    else {
      if (ask === "hush") this.#end(from);
      this.#host.answer(question, from, (answer) => job.complete(answer));
      // It is meant for another host.
      job.complete("");
    }
  }

  close(): void {
    for (const from of this.#listening.keys()) this.#end(from);
  }

  #listen(job: AssignedJob, from: string, question: Question): void {
    const earlier = this.#listening.get(from);
    if (earlier === undefined && this.#listening.size >= MAX_LISTENERS) {
      job.exception(`Cannot listen: ${MAX_LISTENERS} do`);
      return;
    }
    const end = (): void => {
      if (this.#listening.get(from)?.job === job) this.#end(from);
    };
    job.onLost = end;
    this.#listening.set(from, { job, timer: setTimeout(end, LISTEN_MS).unref() });
    this.#host.answer(question, from, (answer) => job.data(answer));
    if (earlier === undefined) return;
    clearTimeout(earlier.timer);
    earlier.job.complete("");
  }

  #end(from: string): void {
    const listening = this.#listening.get(from);
    if (listening === undefined) return;
    this.#listening.delete(from);
    clearTimeout(listening.timer);
    this.#host.forget(from);
    listening.job.complete("");
  }
}
