// The launcher: the process that starts programs. Starting one costs a process the more the more memory it has, and it waits
// meanwhile; so this one has little, and nothing else to do. It outlives its parent by a moment, to kill what that leaves behind.
import { LineReader } from "../../../protocol/lines.ts";
import { type LauncherReply, type LauncherRequest, PROGRAMS_ENV } from "./messages.ts";
import { Track } from "./track.ts";

const env = JSON.parse(process.env[PROGRAMS_ENV] ?? "{}") as Record<string, string>;
const tracks = new Map<number, Track>();
/** So long an end may wait for others: a message for each costs the time in which another program could start. */
const PATIENCE_MS = 4;
let said = "";
let patience: NodeJS.Timeout | undefined;
let isLeaving = false;

const requests = new LineReader((line) => receive(JSON.parse(line) as LauncherRequest));
process.stdin.on("data", (bytes: Buffer) => requests.push(bytes));
process.stdin.on("end", leave);
process.stdin.on("error", leave);
process.stdout.on("error", leave);

function receive(request: LauncherRequest): void {
  const slot = request[1];
  let track = tracks.get(slot);
  if (track === undefined) {
    track = new Track(slot, env, say);
    tracks.set(slot, track);
  }
  track.receive(request);
}

/** Leaves with others, after whatever has to be started now: the processors wait for that. */
function say(reply: LauncherReply, mayWait: boolean): void {
  said += `${JSON.stringify(reply)}\n`;
  if (isLeaving) return;
  if (mayWait) patience ??= setTimeout(write, PATIENCE_MS);
  else {
    isLeaving = true;
    setImmediate(write);
  }
}

function write(): void {
  clearTimeout(patience);
  patience = undefined;
  isLeaving = false;
  process.stdout.write(said);
  said = "";
}

/** The parent is gone. */
function leave(): void {
  for (const track of tracks.values()) track.abandon();
  process.exit(0);
}
