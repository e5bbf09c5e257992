// What is asked of a host beside its work, and what it answers: JSON behind a byte that begins no body of hands.
import { ProtocolError } from "../protocol/errors.ts";
import type { HostLine, HostReport } from "./cluster-control.ts";

const MARK = 0xff;
const ASKS = ["ping", "quit", "restart", "logs", "hush"] as const;
export type Ask = (typeof ASKS)[number];

export interface Question {
  readonly ask: Ask;
  /** Of the question, for the answer. */
  readonly number: number;
  /** Of the hosts that are meant, or `host:pid`; undefined for all. */
  readonly ids?: readonly string[] | undefined;
  /** Who asks, where somebody in between has to know. */
  readonly from?: string | undefined;
}

export interface Answer {
  readonly number: number;
  readonly from?: string | undefined;
  readonly report?: HostReport;
  readonly line?: HostLine;
  /** How many hosts were asked, where somebody in between knows. */
  readonly asked?: number;
}

export function writeControl(content: Question | Answer): Uint8Array {
  const text = Buffer.from(JSON.stringify(content));
  const body = Buffer.allocUnsafe(text.length + 1);
  body[0] = MARK;
  text.copy(body, 1);
  return body;
}

export function isControl(body: Uint8Array): boolean {
  return body[0] === MARK;
}

/** @throws ProtocolError for anything else */
export function readQuestion(body: Uint8Array): Question {
  const { ask, number, ids, from } = read(body);
  const isSound =
    ASKS.includes(ask as Ask) &&
    Number.isInteger(number) &&
    (ids === undefined || (Array.isArray(ids) && ids.every((id) => typeof id === "string"))) &&
    (from === undefined || typeof from === "string");
  if (!isSound) throw new ProtocolError(`Cannot read a question: ${JSON.stringify({ ask, number }).slice(0, 80)}`);
  return read(body) as unknown as Question;
}

/** @throws ProtocolError for anything else */
export function readAnswer(body: Uint8Array): Answer {
  const answer = read(body);
  if (!Number.isInteger(answer["number"])) throw new ProtocolError("Cannot read an answer: it has no number");
  return answer as unknown as Answer;
}

function read(body: Uint8Array): Readonly<Record<string, unknown>> {
  const text = Buffer.from(body.buffer, body.byteOffset + 1, body.byteLength - 1).toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new ProtocolError(`Cannot read what is asked of a host: it begins with "${text.slice(0, 40)}"`);
}
