// The messages of the roles, each a body in a session. docs/reference/zeromq-protocol.md has them for other languages.

import { toErrorRecord } from "../../../protocol/error-record.ts";
import { NotSerializableError } from "../../../protocol/errors.ts";
import { BodyReader, BodyWriter, Unreadable } from "./body.ts";
import { fromRuns, toRuns } from "./runs.ts";

// ── ventilator → worker ──────────────────────────────────────────────────────────────────────────────────────────────────

/** A request, as a worker gets it. `S` is whom it came from, as the shell knows it. */
export interface Assignment<S = unknown> {
  readonly source: S;
  readonly number: number;
  readonly attempt: number;
  readonly payload: unknown;
  readonly metadata: unknown;
  /** An error record: it fails with this, and is not run. */
  readonly verdict: unknown;
}

export interface OutgoingRequest {
  readonly number: number;
  readonly attempt: number;
  readonly payload: unknown;
  readonly metadata: unknown;
}

/**
 * Columns: runs of numbers, attempts, payloads, metadata, places of requests that fail unrun, their error records.
 * @param verdictOf the error with which a request has to fail instead of being run
 */
export function writeTasks(requests: readonly OutgoingRequest[], verdictOf: (at: number) => unknown): Uint8Array {
  const refused = new Map<number, unknown>();
  const payloads: unknown[] = [];
  for (let at = 0; at < requests.length; at++) {
    const verdict = verdictOf(at);
    if (verdict !== undefined) refused.set(at, verdict);
    payloads.push(verdict === undefined ? requests[at]!.payload : null);
  }
  const refuse = (at: number, cause: unknown): void => {
    const why = `Cannot send request ${requests[at]!.number}: ${(cause as Error).message}`;
    refused.set(at, new NotSerializableError(why, { cause }));
  };
  const writer = new BodyWriter().plain(runsOf(requests)).plain(attemptsOf(requests)).values(payloads, refuse);
  writeMetadata(writer, requests, refuse);
  const places = [...refused.keys()].toSorted((a, b) => a - b);
  writer.plain(places);
  writer.values(
    places.map((at) => toErrorRecord(refused.get(at))),
    () => {},
  );
  return writer.finish();
}

function runsOf(list: readonly { readonly number: number }[]): number[] {
  return toRuns(list.map(({ number }) => number));
}

/** 0 where all are first ones. */
function attemptsOf(list: readonly { readonly attempt: number }[]): 0 | number[] {
  return list.every(({ attempt }) => attempt === 1) ? 0 : list.map(({ attempt }) => attempt);
}

function writeMetadata(
  writer: BodyWriter,
  list: readonly { readonly metadata: unknown }[],
  refuse: (at: number, cause: unknown) => void,
): void {
  if (list.every(({ metadata }) => metadata === undefined)) writer.plain(0);
  else {
    writer.values(
      list.map(({ metadata }) => metadata),
      refuse,
    );
  }
}

export function readTasks<S>(body: Uint8Array, source: S): Assignment<S>[] {
  const reader = new BodyReader("TASKS", body);
  const numbers = fromRuns(reader.counts());
  const { length } = numbers;
  const attempts = reader.countsOr(1, length);
  const payloads = reader.values(length);
  const metadata = reader.values(length);
  const places = reader.counts();
  const records = reader.values(places.length);
  const verdicts = new Map(places.map((place, at) => [place, records[at]] as const));
  const assignments: Assignment<S>[] = [];
  for (let at = 0; at < length; at++) {
    const number = numbers[at]!;
    let payload = payloads[at];
    let beside = metadata[at];
    let verdict = verdicts.size === 0 ? undefined : verdicts.get(at);
    if (payload instanceof Unreadable) {
      verdict = undecodable(number, payload);
      payload = undefined;
    }
    if (beside instanceof Unreadable) {
      verdict = undecodable(number, beside);
      beside = undefined;
    }
    assignments.push({ source, number, attempt: attempts[at]!, payload, metadata: beside, verdict });
  }
  return assignments;
}

function undecodable(number: number, { error: cause }: Unreadable): unknown {
  return toErrorRecord(
    new NotSerializableError(`Cannot read request ${number}: ${(cause as Error).message}`, { cause }),
  );
}

// ── worker → ventilator ──────────────────────────────────────────────────────────────────────────────────────────────────

export interface Report {
  /** So many requests more may come. */
  readonly credit: number;
  /** The sink has these. */
  readonly done: readonly number[];
  /** These were not begun, and are not wanted. */
  readonly returned: readonly number[];
}

export function writeReport({ credit, done, returned }: Report): Uint8Array {
  return new BodyWriter().plain(credit).plain(toRuns(done)).plain(toRuns(returned)).finish();
}

export function readReport(body: Uint8Array): Report {
  const reader = new BodyReader("REPORT", body);
  return { credit: reader.count(), done: fromRuns(reader.counts()), returned: fromRuns(reader.counts()) };
}

// ── worker → sink ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What became of a request. */
export interface Answer {
  readonly number: number;
  readonly attempt: number;
  isFailed: boolean;
  /** The result, or an error record. */
  value: unknown;
  readonly micros: number;
  readonly metadata: unknown;
}

export interface ResultBatch {
  readonly batch: number;
  /** The first so many of it have been taken already. */
  readonly skip: number;
  readonly ventilator: string;
  readonly answers: readonly Answer[];
}

/** Bytes before the columns: the batch's number, and how many of it are to be skipped. */
const BATCH_ROOM = 8;

/** Columns: ventilator, runs of numbers, attempts, places of failed ones, microseconds, values or error records, metadata of requests. */
export function writeResults(batch: number, ventilator: string, answers: readonly Answer[]): Uint8Array {
  const first = encodeResults(ventilator, answers);
  const body = first.refused === 0 ? first.body : encodeResults(ventilator, answers).body;
  const view = new DataView(body.buffer, body.byteOffset);
  view.setUint32(0, batch, true);
  return body;
}

/** Sets in a body of `writeResults` how many are to be skipped. It may be under way: a copy is changed. */
export function skipping(body: Uint8Array, skip: number): Uint8Array {
  const copy = Buffer.from(body);
  copy.writeUInt32LE(skip, 4);
  return copy;
}

function encodeResults(
  ventilator: string,
  answers: readonly Answer[],
): { readonly body: Uint8Array; readonly refused: number } {
  let refused = 0;
  const failed: number[] = [];
  const micros: number[] = [];
  const values: unknown[] = [];
  for (let at = 0; at < answers.length; at++) {
    const answer = answers[at]!;
    if (answer.isFailed) failed.push(at);
    micros.push(answer.micros);
    values.push(answer.value);
  }
  const writer = new BodyWriter().plain(ventilator).plain(runsOf(answers)).plain(attemptsOf(answers));
  writer.plain(failed).plain(micros);
  writer.values(values, (at, cause) => {
    refused += 1;
    const answer = answers[at]!;
    fail(answer, `Cannot send the result of request ${answer.number}: ${(cause as Error).message}`, cause);
  });
  writeMetadata(writer, answers, () => {});
  const body = writer.finish(BATCH_ROOM);
  body.fill(0, 0, BATCH_ROOM);
  return { body, refused };
}

/** Makes a failure of an answer whose value cannot be sent. */
export function fail(answer: Answer, message: string, cause?: unknown): void {
  answer.isFailed = true;
  answer.value = toErrorRecord(new NotSerializableError(message, cause === undefined ? undefined : { cause }));
}

export function readResults(body: Uint8Array): ResultBatch {
  const reader = new BodyReader("RESULTS", body.subarray(Math.min(BATCH_ROOM, body.length)));
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const ventilator = reader.text();
  const numbers = fromRuns(reader.counts());
  const { length } = numbers;
  const attempts = reader.countsOr(1, length);
  const failed = new Set(reader.counts());
  const micros = reader.counts(length);
  const values = reader.values(length);
  const metadata = reader.values(length);
  const answers = numbers.map((number, at) => ({
    number,
    attempt: attempts[at]!,
    isFailed: failed.has(at),
    value: values[at],
    micros: micros[at]!,
    metadata: metadata[at],
  }));
  return { batch: view.getUint32(0, true), skip: view.getUint32(4, true), ventilator, answers };
}

// ── sink → worker ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of each batch, by its number, the first so many have been taken. */
export function writeTaken(taken: readonly number[]): Uint8Array {
  return new BodyWriter().plain(taken).finish();
}

/** Pairs of batch and count. */
export function readTaken(body: Uint8Array): readonly number[] {
  return new BodyReader("TAKEN", body).counts();
}

// ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface CommandMessage {
  readonly name: string;
  readonly data: unknown;
}

export function writeCommand({ name, data }: CommandMessage): Uint8Array {
  let error: unknown;
  const body = new BodyWriter()
    .plain(name)
    .values([data], (_, cause) => (error = cause))
    .finish();
  if (error !== undefined) {
    throw new NotSerializableError(`Cannot send command "${name}": ${(error as Error).message}`, { cause: error });
  }
  return body;
}

export function readCommand(body: Uint8Array): CommandMessage {
  const reader = new BodyReader("COMMAND", body);
  return { name: reader.text(), data: readable(reader.values(1)[0]) };
}

export interface CommandReply {
  readonly isObeyed: boolean;
  /** What the command gave, or an error record. */
  readonly value: unknown;
}

export function writeReply({ isObeyed, value }: CommandReply): Uint8Array {
  let sent = { isObeyed, value };
  const encode = (onRefused: (error: unknown) => void): Uint8Array =>
    new BodyWriter()
      .plain(sent.isObeyed ? 1 : 0)
      .values([sent.value], (_, error) => onRefused(error))
      .finish();
  let hasFailed = false;
  const body = encode((cause) => {
    hasFailed = true;
    const why = `Cannot send what the command gave: ${(cause as Error).message}`;
    sent = { isObeyed: sent.isObeyed, value: toErrorRecord(new NotSerializableError(why, { cause })) };
  });
  return hasFailed ? encode(() => {}) : body;
}

export function readReply(body: Uint8Array): CommandReply {
  const reader = new BodyReader("REPLY", body);
  return { isObeyed: reader.count() === 1, value: readable(reader.values(1)[0]) };
}

function readable(value: unknown): unknown {
  return value instanceof Unreadable ? undefined : value;
}
