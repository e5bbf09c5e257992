// The launcher: the process that starts programs. Starting one costs a process the more the more memory it has, and it waits
// meanwhile; so this one has little, and nothing else to do. It outlives its parent by a moment, to kill what that leaves behind.
import { LineReader } from "../../../protocol/lines.ts";
import { type LauncherReply, type LauncherRequest, PROGRAMS_ENV, type RunMessage } from "./messages.ts";
import { failure, Running } from "./running.ts";

const env = JSON.parse(process.env[PROGRAMS_ENV] ?? "{}") as Record<string, string>;
const slots = new Map<number, Running>();

const requests = new LineReader((line) => receive(JSON.parse(line) as LauncherRequest));
process.stdin.on("data", (bytes: Buffer) => requests.push(bytes));
process.stdin.on("end", leave);
process.stdin.on("error", leave);
process.stdout.on("error", leave);

function receive(request: LauncherRequest): void {
  const [kind, slot] = request;
  if (kind === "run") run(request);
  // It may have ended meanwhile.
  else slots.get(slot)?.signal(request[2]);
}

function run([, slot, file, words, changes, stdin, cwd]: RunMessage): void {
  try {
    const start = { slot, file, words, env: changes === 0 ? env : changed(changes), stdin, cwd };
    slots.set(slot, new Running(start, ended));
  } catch (error) {
    ended(failure(slot, error));
  }
}

function changed(changes: Readonly<Record<string, string | null>>): Record<string, string | undefined> {
  const all: Record<string, string | undefined> = { ...env };
  for (const [name, value] of Object.entries(changes)) all[name] = value ?? undefined;
  return all;
}

function ended(reply: LauncherReply): void {
  slots.delete(reply[1]);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

/** The parent is gone. */
function leave(): void {
  for (const running of slots.values()) {
    running.signal("SIGKILL");
    running.drop();
  }
  process.exit(0);
}
