// Messages in columns as lines of JSON, for workers that share no memory with the pool; and what reads their lists, however they came.
//
// A list in which something is undefined goes as `{list, missing}`: JSON has no word for it in a list.
import { ProtocolError } from "./errors.ts";
import { JsonValues } from "./json-values.ts";
import {
  CHUNK_ITEMS,
  FAILED,
  RUN,
  type RunRequest,
  type TaskExtras,
  type WorkerEvent,
  type WorkerReply,
  type WorkerRequest,
} from "./messages.ts";
import { show } from "./options.ts";
import { type MaybePacked, unpack } from "./packing.ts";

interface Gaps {
  readonly list: readonly unknown[];
  readonly missing: readonly number[];
}

export class ColumnText {
  readonly #json: JsonValues;

  /** @param isProxy tells proxies, which have no JSON */
  constructor(isProxy: (value: object) => boolean) {
    this.#json = new JsonValues(isProxy);
  }

  /** One line. @throws TypeError where a value has no JSON */
  request(request: WorkerRequest): string {
    if (request[0] !== RUN) return `${JSON.stringify(request)}\n`;
    const [, names, tickets, ids, inputs, extras] = request;
    const list = listText(unpack(inputs), (value, at) => {
      const extra = extras === 0 ? 0 : extras[at]!;
      return extra !== 0 && extra.isChunk === true ? this.list(value as MaybePacked) : this.#json.text(value);
    });
    const head = `[${RUN},${JSON.stringify(names)},[${tickets.join(",")}],${JSON.stringify(ids)}`;
    return `${head},${list},${extrasText(extras)}]\n`;
  }

  /** One line. @throws TypeError where a value has no JSON */
  reply([tickets, micros, values, events]: WorkerReply): string {
    const said = events === 0 ? "0" : `[${events.map((event) => this.#event(event)).join(",")}]`;
    return `[[${tickets.join(",")}],[${micros.join(",")}],${this.list(values)},${said}]\n`;
  }

  list(packed: MaybePacked): string {
    if (packed instanceof Int32Array) return `[${packed.join(",")}]`;
    return listText(unpack(packed), (value) => this.#json.text(value));
  }

  #event(event: WorkerEvent): string {
    if (event[0] === CHUNK_ITEMS) {
      const [kind, ticket, first, values, micros] = event;
      return `[${kind},${ticket},${first},${this.list(values)},${JSON.stringify(micros)}]`;
    }
    // What an error holds beside its words may have no JSON, and is not what matters about it.
    if (event[0] === FAILED) return JSON.stringify(event, lenient) ?? "[]";
    return this.#json.text(event)!;
  }
}

/** The request of a line. @throws ProtocolError for what is none */
export function requestOf(line: unknown): WorkerRequest {
  if (!Array.isArray(line) || typeof line[0] !== "number") throw notColumns(line);
  if (line[0] !== RUN) return line as unknown as WorkerRequest;
  const [kind, names, tickets, ids, inputs, extras] = line as unknown as RunRequest;
  if (!areNumbers(tickets) || (extras !== 0 && !Array.isArray(extras))) throw notColumns(line);
  const values = listOf(inputs);
  if (extras === 0) return [kind, names, tickets, ids, values, extras];
  const full = Array.from(unpack(values), (value, at) => {
    const extra = extras[at];
    return extra !== 0 && extra?.isChunk === true ? listOf(value) : value;
  });
  return [kind, names, tickets, ids, full, extras];
}

/** The reply of a line. @throws ProtocolError for what is none */
export function replyOf(line: unknown): WorkerReply {
  if (!Array.isArray(line)) throw notColumns(line);
  const [tickets, micros, values, events] = line as readonly unknown[];
  const areEvents = events === 0 || (Array.isArray(events) && events.every((event) => Array.isArray(event)));
  if (!areNumbers(tickets) || !areNumbers(micros) || !areEvents) throw notColumns(line);
  const said = events === 0 ? 0 : (events as unknown as WorkerEvent[]).map(withList);
  return [tickets, micros, listOf(values), said];
}

function withList(event: WorkerEvent): WorkerEvent {
  if (event[0] !== CHUNK_ITEMS) return event;
  const [kind, ticket, first, values, micros] = event;
  return [kind, ticket, first, listOf(values), micros];
}

function listOf(text: unknown): MaybePacked {
  if (typeof text !== "object" || text === null) throw notColumns(text);
  if (Array.isArray(text) || !Object.hasOwn(text, "missing")) return text as MaybePacked;
  const { list, missing } = text as Gaps;
  if (!Array.isArray(list) || !areNumbers(missing)) throw notColumns(text);
  const values: unknown[] = list;
  for (const at of missing) if (at >= 0 && at < values.length) values[at] = undefined;
  return values;
}

function listText(values: ArrayLike<unknown>, textOf: (value: unknown, at: number) => string | undefined): string {
  const texts: string[] = [];
  const missing: number[] = [];
  for (let at = 0; at < values.length; at++) {
    const text = textOf(values[at], at);
    if (text === undefined) missing.push(at);
    texts.push(text ?? "null");
  }
  const list = `[${texts.join(",")}]`;
  return missing.length === 0 ? list : `{"list":${list},"missing":[${missing.join(",")}]}`;
}

/** JSON has no infinite priorities. */
function extrasText(extras: 0 | readonly (TaskExtras | 0)[]): string {
  return extras === 0
    ? "0"
    : JSON.stringify(extras, (_key, value: unknown) =>
        typeof value === "number" && !Number.isFinite(value) ? Math.sign(value) * Number.MAX_VALUE : value,
      );
}

/** For what `JSON.stringify` refuses. */
export function lenient(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function areNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

function notColumns(line: unknown): ProtocolError {
  return new ProtocolError(`Cannot read columns: they begin with ${shown(line).slice(0, 80)}`);
}

/** Frames bring more than lines do: what has no JSON, too. */
function shown(line: unknown): string {
  try {
    return String(JSON.stringify(line));
  } catch {
    return show(line);
  }
}
