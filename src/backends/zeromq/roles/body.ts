// What sessions carry for the roles: columns as JSON, and each value that JSON does not give back as it was as a piece of bytes by itself, so
// that one which cannot be read harms no other.
//
//   u32 length of the JSON (little endian), the JSON (UTF-8), then for each piece: u32 length, bytes of V8's serialisation
import { types } from "node:util";
import { ProtocolError } from "../../../protocol/errors.ts";
import { JsonSafety } from "../../../protocol/json-safety.ts";
import { deserialize, StrictSerializer } from "../../structured-copy.ts";

const safety = new JsonSafety(types.isProxy);

/** A value that came and cannot be read. */
export class Unreadable {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** A list of any values, as it stands in the JSON: what is not JSON is 0 there, and its place is in the second list. */
type ValuesColumn = readonly [values: readonly unknown[], pieces: readonly number[]];

export class BodyWriter {
  readonly #columns: unknown[] = [];
  readonly #pieces: Buffer[] = [];

  /** Adds a column of numbers or short texts. */
  plain(column: unknown): this {
    this.#columns.push(column);
    return this;
  }

  /** Adds a column of any values. What has no copy is told to `onRefused`, and null is sent for it. */
  values(values: readonly unknown[], onRefused: (index: number, error: unknown) => void): this {
    const places: number[] = [];
    let column: unknown[] | undefined;
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      if (safety.isSafe(value)) continue;
      column ??= [...values];
      try {
        this.#pieces.push(serialize(value));
        column[at] = 0;
        places.push(at);
      } catch (error) {
        column[at] = null;
        onRefused(at, error);
      }
    }
    this.#columns.push([column ?? values, places] satisfies ValuesColumn);
    return this;
  }

  /** The body, with `room` bytes before it for the caller. */
  finish(room = 0): Uint8Array {
    const text = Buffer.from(JSON.stringify(this.#columns));
    let length = room + 4 + text.length;
    for (const piece of this.#pieces) length += 4 + piece.length;
    const body = Buffer.allocUnsafe(length);
    let at = body.writeUInt32LE(text.length, room);
    at += text.copy(body, at);
    for (const piece of this.#pieces) {
      at = body.writeUInt32LE(piece.length, at);
      at += piece.copy(body, at);
    }
    return body;
  }
}

export class BodyReader {
  readonly #what: string;
  readonly #columns: readonly unknown[];
  readonly #bytes: Buffer;
  #pieceAt: number;
  #column = 0;

  /** @param what the message it is, for errors */
  constructor(what: string, body: Uint8Array) {
    this.#what = what;
    this.#bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (body.length < 4) throw this.#broken("it is too short");
    const length = this.#bytes.readUInt32LE(0);
    if (4 + length > body.length) throw this.#broken(`it ends before its ${length} bytes of JSON`);
    this.#pieceAt = 4 + length;
    let columns: unknown;
    try {
      columns = JSON.parse(this.#bytes.toString("utf8", 4, this.#pieceAt));
    } catch (cause) {
      throw this.#broken("it has no JSON where its columns should be", cause);
    }
    if (!Array.isArray(columns)) throw this.#broken("its columns are no list");
    this.#columns = columns;
  }

  text(): string {
    const value = this.#next();
    if (typeof value === "string" && value.length <= 256) return value;
    throw this.#broken(`its column ${this.#column} is no text`);
  }

  count(): number {
    const value = this.#next();
    if (isCount(value)) return value;
    throw this.#broken(`its column ${this.#column} is no whole number`);
  }

  /** A list of whole numbers. @param length how many, where that is known */
  counts(length?: number): readonly number[] {
    const value = this.#next();
    if (Array.isArray(value) && (length === undefined || value.length === length) && value.every(isCount)) {
      return value as number[];
    }
    throw this.#broken(`its column ${this.#column} is no list of ${length ?? "whole"} numbers`);
  }

  /** As `counts`; `otherwise` for each where the column is 0. */
  countsOr(otherwise: number, length: number): readonly number[] {
    if (this.#columns[this.#column] !== 0) return this.counts(length);
    this.#column += 1;
    return new Array<number>(length).fill(otherwise);
  }

  /** Any values; undefined for each where the column is 0. What cannot be read is `Unreadable`. */
  values(length: number): readonly unknown[] {
    const column = this.#next();
    if (column === 0) return new Array<undefined>(length).fill(undefined);
    const [values, places] = Array.isArray(column) ? (column as unknown[]) : [];
    if (!Array.isArray(values) || values.length !== length || !Array.isArray(places) || !places.every(isCount)) {
      throw this.#broken(`its column ${this.#column} is no column of ${length} values`);
    }
    for (const at of places as number[]) {
      if (at >= length) throw this.#broken(`its column ${this.#column} has a piece for place ${at} of ${length}`);
      values[at] = this.#piece();
    }
    return values;
  }

  #piece(): unknown {
    if (this.#pieceAt + 4 > this.#bytes.length) throw this.#broken("it has fewer pieces than it says");
    const start = this.#pieceAt + 4;
    const end = start + this.#bytes.readUInt32LE(this.#pieceAt);
    if (end > this.#bytes.length) throw this.#broken("it ends within a piece");
    this.#pieceAt = end;
    try {
      return deserialize(this.#bytes.subarray(start, end));
    } catch (error) {
      return new Unreadable(error);
    }
  }

  #next(): unknown {
    if (this.#column >= this.#columns.length) throw this.#broken(`it has only ${this.#column} columns`);
    return this.#columns[this.#column++];
  }

  #broken(why: string, cause?: unknown): ProtocolError {
    return new ProtocolError(`Cannot read ${this.#what}: ${why}`, cause === undefined ? undefined : { cause });
  }
}

function serialize(value: unknown): Buffer {
  const writer = new StrictSerializer();
  writer.writeHeader();
  writer.writeValue(value);
  return writer.releaseBuffer();
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
