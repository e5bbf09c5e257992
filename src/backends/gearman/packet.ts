// The packets of the Gearman protocol: their numbers, who sends them, what they hold, and how they become bytes. Holds no connection.
// Source: PROTOCOL in gearmand's documentation, and what its servers do beyond it.
import { ProtocolError } from "../../protocol/errors.ts";

/** Packets by name. 5 is unused. */
export const PacketType = {
  CAN_DO: 1,
  CANT_DO: 2,
  RESET_ABILITIES: 3,
  PRE_SLEEP: 4,
  NOOP: 6,
  SUBMIT_JOB: 7,
  JOB_CREATED: 8,
  GRAB_JOB: 9,
  NO_JOB: 10,
  JOB_ASSIGN: 11,
  WORK_STATUS: 12,
  WORK_COMPLETE: 13,
  WORK_FAIL: 14,
  GET_STATUS: 15,
  ECHO_REQ: 16,
  ECHO_RES: 17,
  SUBMIT_JOB_BG: 18,
  ERROR: 19,
  STATUS_RES: 20,
  SUBMIT_JOB_HIGH: 21,
  SET_CLIENT_ID: 22,
  CAN_DO_TIMEOUT: 23,
  ALL_YOURS: 24,
  WORK_EXCEPTION: 25,
  OPTION_REQ: 26,
  OPTION_RES: 27,
  WORK_DATA: 28,
  WORK_WARNING: 29,
  GRAB_JOB_UNIQ: 30,
  JOB_ASSIGN_UNIQ: 31,
  SUBMIT_JOB_HIGH_BG: 32,
  SUBMIT_JOB_LOW: 33,
  SUBMIT_JOB_LOW_BG: 34,
  SUBMIT_JOB_SCHED: 35,
  SUBMIT_JOB_EPOCH: 36,
  SUBMIT_REDUCE_JOB: 37,
  SUBMIT_REDUCE_JOB_BACKGROUND: 38,
  GRAB_JOB_ALL: 39,
  JOB_ASSIGN_ALL: 40,
  GET_STATUS_UNIQUE: 41,
  STATUS_RES_UNIQUE: 42,
} as const;

export type PacketName = keyof typeof PacketType;

/** `REQ` goes to the server, `RES` comes from it. */
export type Magic = "REQ" | "RES";

export interface Shape {
  readonly name: PacketName;
  /** Where it may travel. */
  readonly travels: readonly Magic[];
  /** Its arguments in order. All but the last end with a NUL; the last may hold any bytes. */
  readonly args: readonly string[];
}

const TO_SERVER = ["REQ"] as const;
const FROM_SERVER = ["RES"] as const;
const BOTH = ["REQ", "RES"] as const;
const SUBMIT = ["function", "unique", "data"] as const;
// The published protocol leaves the aggregate out. With three arguments the server waits for the fourth and for ever.
const REDUCE = ["function", "unique", "reducer", "aggregate", "data"] as const;

const TABLE: Readonly<Record<PacketName, readonly [travels: readonly Magic[], args: readonly string[]]>> = {
  CAN_DO: [TO_SERVER, ["function"]],
  CANT_DO: [TO_SERVER, ["function"]],
  RESET_ABILITIES: [TO_SERVER, []],
  PRE_SLEEP: [TO_SERVER, []],
  NOOP: [FROM_SERVER, []],
  SUBMIT_JOB: [TO_SERVER, SUBMIT],
  JOB_CREATED: [FROM_SERVER, ["handle"]],
  GRAB_JOB: [TO_SERVER, []],
  NO_JOB: [FROM_SERVER, []],
  JOB_ASSIGN: [FROM_SERVER, ["handle", "function", "data"]],
  WORK_STATUS: [BOTH, ["handle", "numerator", "denominator"]],
  WORK_COMPLETE: [BOTH, ["handle", "data"]],
  WORK_FAIL: [BOTH, ["handle"]],
  GET_STATUS: [TO_SERVER, ["handle"]],
  ECHO_REQ: [TO_SERVER, ["data"]],
  ECHO_RES: [FROM_SERVER, ["data"]],
  SUBMIT_JOB_BG: [TO_SERVER, SUBMIT],
  ERROR: [FROM_SERVER, ["code", "text"]],
  STATUS_RES: [FROM_SERVER, ["handle", "known", "running", "numerator", "denominator"]],
  SUBMIT_JOB_HIGH: [TO_SERVER, SUBMIT],
  SET_CLIENT_ID: [TO_SERVER, ["id"]],
  CAN_DO_TIMEOUT: [TO_SERVER, ["function", "timeout"]],
  ALL_YOURS: [TO_SERVER, []],
  WORK_EXCEPTION: [BOTH, ["handle", "data"]],
  OPTION_REQ: [TO_SERVER, ["option"]],
  OPTION_RES: [FROM_SERVER, ["option"]],
  WORK_DATA: [BOTH, ["handle", "data"]],
  WORK_WARNING: [BOTH, ["handle", "data"]],
  GRAB_JOB_UNIQ: [TO_SERVER, []],
  JOB_ASSIGN_UNIQ: [FROM_SERVER, ["handle", "function", "unique", "data"]],
  SUBMIT_JOB_HIGH_BG: [TO_SERVER, SUBMIT],
  SUBMIT_JOB_LOW: [TO_SERVER, SUBMIT],
  SUBMIT_JOB_LOW_BG: [TO_SERVER, SUBMIT],
  SUBMIT_JOB_SCHED: [TO_SERVER, ["function", "unique", "minute", "hour", "day", "month", "weekday", "data"]],
  SUBMIT_JOB_EPOCH: [TO_SERVER, ["function", "unique", "epoch", "data"]],
  SUBMIT_REDUCE_JOB: [TO_SERVER, REDUCE],
  SUBMIT_REDUCE_JOB_BACKGROUND: [TO_SERVER, REDUCE],
  GRAB_JOB_ALL: [TO_SERVER, []],
  JOB_ASSIGN_ALL: [FROM_SERVER, ["handle", "function", "unique", "reducer", "data"]],
  GET_STATUS_UNIQUE: [TO_SERVER, ["unique"]],
  STATUS_RES_UNIQUE: [FROM_SERVER, ["unique", "known", "running", "numerator", "denominator", "clients"]],
};

/** Packets by number; undefined where there is none. */
export const SHAPES: readonly (Shape | undefined)[] = shapes();

export const HEADER_BYTES = 12;
const MAX_BODY_BYTES = 0xffffffff;
/** Longer ones are cut off by the server, which may then take two for the same. */
export const MAX_UNIQUE_BYTES = 63;

/** An argument of a packet: text travels as UTF-8. */
export type Argument = string | Uint8Array;

/** How many bytes the packet takes. @throws ProtocolError where a header cannot say so many */
export function packetBytes(args: readonly Argument[]): number {
  let bytes = args.length > 1 ? args.length - 1 : 0;
  for (const arg of args) bytes += typeof arg === "string" ? Buffer.byteLength(arg) : arg.length;
  if (bytes > MAX_BODY_BYTES)
    throw new ProtocolError(`Cannot send a packet of ${bytes} bytes: the protocol has 4 GiB at most`);
  return HEADER_BYTES + bytes;
}

/** Writes a packet that takes `bytes` into `into` at `at`. */
export function writePacket(
  into: Buffer,
  at: number,
  magic: Magic,
  type: number,
  args: readonly Argument[],
  bytes: number,
): void {
  writeHeader(into, at, magic, type, bytes - HEADER_BYTES);
  let to = at + HEADER_BYTES;
  for (let i = 0; i < args.length; i++) {
    if (i > 0) into[to++] = 0;
    const arg = args[i]!;
    if (typeof arg === "string") to += into.write(arg, to, "utf8");
    else {
      into.set(arg, to);
      to += arg.length;
    }
  }
}

export function writeHeader(into: Buffer, at: number, magic: Magic, type: number, bodyBytes: number): void {
  into.writeUInt32BE(MAGIC_NUMBERS[magic], at);
  into.writeUInt32BE(type, at + 4);
  into.writeUInt32BE(bodyBytes, at + 8);
}

/** The first four bytes of a header as a number: NUL and three letters. */
export const MAGIC_NUMBERS: Readonly<Record<Magic, number>> = { REQ: 0x00524551, RES: 0x00524553 };

/** A packet as bytes. A number of arguments other than the table says is refused: the server would wait for the rest for ever. */
export function encode(magic: Magic, name: PacketName, ...args: readonly Argument[]): Buffer {
  const type = PacketType[name];
  const wanted = SHAPES[type]!.args.length;
  if (args.length !== wanted)
    throw new ProtocolError(`Cannot send packet ${name}: it has ${wanted} arguments, not ${args.length}`);
  const bytes = packetBytes(args);
  const packet = Buffer.allocUnsafe(bytes);
  writePacket(packet, 0, magic, type, args, bytes);
  return packet;
}

/** The arguments of a packet, as views into its body. @throws ProtocolError where there are too few */
export function argumentsOf(type: number, body: Buffer): Buffer[] {
  const shape = SHAPES[type]!;
  const args: Buffer[] = [];
  let from = 0;
  for (let i = 1; i < shape.args.length; i++) {
    const to = body.indexOf(0, from);
    if (to < 0) throw tooFew(shape, body);
    args.push(body.subarray(from, to));
    from = to + 1;
  }
  if (shape.args.length > 0) args.push(body.subarray(from));
  return args;
}

/** Where the first argument of a packet of several ends. @throws ProtocolError where it does not */
export function firstEnd(type: number, body: Buffer): number {
  const to = body.indexOf(0);
  if (to < 0) throw tooFew(SHAPES[type]!, body);
  return to;
}

/** The first bytes, as a message may show them. */
export function shownBytes(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function tooFew(shape: Shape, body: Buffer): ProtocolError {
  const { name, args } = shape;
  return new ProtocolError(
    `Cannot read packet ${name}: it has fewer arguments than ${args.length} (its body begins with ${shownBytes(body)})`,
  );
}

function shapes(): (Shape | undefined)[] {
  const list: (Shape | undefined)[] = [];
  for (const name of Object.keys(PacketType) as PacketName[]) {
    const [travels, args] = TABLE[name];
    list[PacketType[name]] = { name, travels, args };
  }
  return list;
}
