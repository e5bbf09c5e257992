// Lists of numbers taken out of a message and written as memory. JSON and V8's structured clone cost some 20 ns for each number at each
// end; this costs two, and allocates nothing but the list.
//
//   0  1  the member of the message that the column is
//   1  1  1: 32-bit integers, 2: doubles
//   2  4  how many numbers (u32, little endian)
//   6     the numbers, little endian
import { ProtocolError } from "./errors.ts";
import { isInt32 } from "./number-list.ts";

const INTEGERS = 1;
const DOUBLES = 2;
const HEAD_BYTES = 6;
/** Fewer numbers are not worth a column. */
const FEWEST = 8;

type Numbers = ArrayLike<number>;

interface Column {
  readonly member: number;
  readonly numbers: Numbers;
  readonly bytesEach: 4 | 8;
}

/** What a message was taken apart into. */
export interface Apart {
  /** The message with an empty list in place of each column. */
  readonly rest: readonly unknown[];
  readonly columns: readonly Column[];
  /** Of the columns, once written. */
  readonly bytes: number;
}

/** Takes those of the members apart that are long lists of numbers; undefined where none is. */
export function takeApart(message: readonly unknown[], members: readonly number[]): Apart | undefined {
  let rest: unknown[] | undefined;
  const columns: Column[] = [];
  let bytes = 0;
  for (const member of members) {
    const list = message[member];
    const bytesEach = bytesEachOf(list);
    if (bytesEach === 0) continue;
    rest ??= [...message];
    rest[member] = NONE;
    const numbers = list as Numbers;
    columns.push({ member, numbers, bytesEach });
    bytes += HEAD_BYTES + numbers.length * bytesEach;
  }
  return rest === undefined ? undefined : { rest, columns, bytes };
}

/** Writes the columns at the end of `bytes`, where there is room for them. */
export function writeColumns(bytes: Uint8Array, apart: Apart): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = bytes.length - apart.bytes;
  for (const { member, numbers, bytesEach } of apart.columns) {
    view.setUint8(at, member);
    view.setUint8(at + 1, bytesEach === 4 ? INTEGERS : DOUBLES);
    view.setUint32(at + 2, numbers.length, true);
    at += HEAD_BYTES;
    if (bytesEach === 4) for (let n = 0; n < numbers.length; n++, at += 4) view.setInt32(at, numbers[n]!, true);
    else for (let n = 0; n < numbers.length; n++, at += 8) view.setFloat64(at, numbers[n]!, true);
  }
}

/** Puts the columns that begin at `from` and fill the rest of `bytes` where they belong. @throws ProtocolError for what are none */
export function putTogether(rest: unknown[], bytes: Uint8Array, from: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at < bytes.length; ) {
    const begin = at + HEAD_BYTES;
    if (begin > bytes.length) throw garbage(at, bytes.length);
    const member = view.getUint8(at);
    const kind = view.getUint8(at + 1);
    const end = begin + view.getUint32(at + 2, true) * (kind === INTEGERS ? 4 : 8);
    const isSound = end <= bytes.length && (kind === INTEGERS || kind === DOUBLES) && member < rest.length;
    if (!isSound) throw garbage(at, bytes.length);
    rest[member] = kind === INTEGERS ? integersIn(view, begin, end) : doublesIn(view, begin, end);
    at = end;
  }
}

function integersIn(view: DataView, begin: number, end: number): number[] {
  const list: number[] = [];
  for (let at = begin; at < end; at += 4) list.push(view.getInt32(at, true));
  return list;
}

function doublesIn(view: DataView, begin: number, end: number): number[] {
  const list: number[] = [];
  for (let at = begin; at < end; at += 8) list.push(view.getFloat64(at, true));
  return list;
}

/** 4 for 32-bit integers, 8 for other numbers, 0 for what is no column. */
function bytesEachOf(list: unknown): 0 | 4 | 8 {
  if (list instanceof Float64Array) return list.length < FEWEST ? 0 : widthOf(list);
  if (list instanceof Int32Array) return list.length < FEWEST ? 0 : 4;
  if (!Array.isArray(list) || list.length < FEWEST) return 0;
  return widthOf(list);
}

function widthOf(list: ArrayLike<unknown>): 0 | 4 | 8 {
  let width: 4 | 8 = 4;
  for (let at = 0; at < list.length; at++) {
    const value = list[at];
    if (typeof value !== "number") return 0;
    if (!isInt32(value)) width = 8;
  }
  return width;
}

const NONE: readonly never[] = [];

function garbage(at: number, length: number): ProtocolError {
  return new ProtocolError(`Cannot read the column of numbers at byte ${at} of ${length}`);
}
