// `manyhands map -S`, at the other end of a real ssh connection.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { until } from "../../src/testing/stage.ts";
import { type Sshd, startSshd } from "../command/sshd.ts";
import {
  bash,
  type Ended,
  fixtures,
  manyhands,
  numbers,
  type Options,
  program,
  scratch,
  start,
  tasks,
} from "./program.ts";

const { path, file } = scratch();
let sshd: Sshd;
const endings: (() => void)[] = [];
before(async () => {
  sshd = await startSshd({ after: (end) => void endings.push(end) });
});
after(() => {
  for (const end of endings) end();
});

/** Runs `manyhands map` with the server's ssh. */
function map(args: readonly string[], options: Options = {}): Promise<Ended> {
  return manyhands(["map", ...args], { ...options, env: { MANYHANDS_SSH: sshd.ssh, ...options.env } });
}

const remote = ["--remote-command", `"${process.execPath}" "${program}"`];
const isGone = (pid: number): boolean => {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
};
const contentOf = (name: string): string => {
  try {
    return readFileSync(name, "utf8");
  } catch {
    return "";
  }
};

/** Starts a program that starts another one, tells both pids, and ends by itself only after a minute; it takes no notice of SIGTERM. */
const LONG = `trap "" TERM; sleep 60 & echo $$ $! > {}; wait; wait`;

async function pidsIn(name: string): Promise<readonly number[]> {
  await until(() => contentOf(name).endsWith("\n"), `the pids in ${name}`);
  return contentOf(name).trim().split(" ").map(Number);
}

describe("the tasks of a module", { concurrency: 2 }, () => {
  it("run on a host, with its data and environment", async () => {
    const { status, lines, stderr } = await map([`${tasks}#double`, "-S", "2/far", ...remote, "-k"], {
      input: numbers(50),
    });
    assert.deepEqual([status, lines.length, lines.at(-1)], [0, 50, "100"], stderr);
    const flags = ["-S", "1/far", ...remote, "--env", "ODD=a 'b' $c", "--data", '["x"]', "-k"];
    assert.deepEqual((await map([`${tasks}#environment`, ...flags], { input: '"ODD"' })).lines, [`"a 'b' $c"`]);
    assert.deepEqual((await map([`${tasks}#data`, ...flags], { input: "1" })).lines, ['["x"]']);
  });
  it("run here and there at once, and records tell where", async () => {
    const module = file(
      "meet.mjs",
      `import { existsSync, writeFileSync } from "node:fs";
      export async function meet({ mine, other }) {
        writeFileSync(mine, "");
        while (!existsSync(other)) await new Promise((resolve) => setTimeout(resolve, 10));
      }`,
    );
    const [one, two] = [path("one"), path("two")];
    const input = `${JSON.stringify({ mine: one, other: two })}\n${JSON.stringify({ mine: two, other: one })}\n`;
    const { status, lines, stderr } = await map([module, "-S", "1/:", "-S", "1/far", ...remote, "--out", "record"], {
      input,
    });
    assert.equal(status, 0, stderr);
    const hosts = lines.map((line) => (JSON.parse(line) as { host: string }).host);
    assert.deepEqual(hosts.toSorted(), ["far", "local"]);
  });
  it("come from a module that this machine need not have, found from the same folder", async () => {
    const folder = path("works here");
    mkdirSync(folder);
    file("works here/there.mjs", "export const cwd = () => process.cwd();");
    const { lines, stderr } = await map(["./there.mjs", "-S", "1/far", ...remote], { input: "1", cwd: folder });
    assert.deepEqual(lines, [JSON.stringify(folder)], stderr);
    const missing = await map(["./nowhere.mjs", "-S", "1/far", ...remote], { input: "1" });
    assert.equal(missing.status, 4);
    assert.match(missing.stderr, /Cannot serve "\.\/nowhere\.mjs": there is no such file/);
  });
  it("end with what the host says where it has no manyhands", async () => {
    const { status, stderr } = await map([`${tasks}#double`, "-S", "1/far", "--remote-command", "no-such"], {
      input: "1",
    });
    assert.equal(status, 4);
    assert.match(stderr, /^manyhands: Cannot start a worker for .*exited with code 127.*\n.*no-such: not found/m);
  });
});

describe("programs on a host", { concurrency: 2 }, () => {
  it("get any argument unharmed", async () => {
    const names = ["a b", "it's", '"$HOME" `id`', "new\nline\n", "-n", "\\0101 \\\\", "*", "!!", "日本", "echo", ""];
    const bytes = Buffer.concat([...names.map((name) => Buffer.from(`${name}\0`)), Buffer.of(0xff, 0x81, 0x88, 10, 0)]);
    const running = start([
      "map",
      "-0",
      "-j",
      "1",
      "-k",
      "-S",
      "far",
      "--ssh",
      sshd.ssh,
      "--",
      "printf",
      "<%s>\\0",
      "{}",
    ]);
    const written: Buffer[] = [];
    running.child.stdout.setEncoding("latin1").on("data", (text: string) => written.push(Buffer.from(text, "latin1")));
    running.child.stdin.end(bytes);
    assert.equal((await running.ended).status, 0);
    const expected = [...names.map((name) => Buffer.from(`<${name}>\0`)), Buffer.of(60, 0xff, 0x81, 0x88, 10, 62, 0)];
    assert.deepEqual(Buffer.concat(written), Buffer.concat(expected));
  });
  it("get them by way of a shell, too, and are no builtins without one", async () => {
    const shell = await map(["-S", "1/far", "-k", "-c", "echo {} | tr a-z A-Z", ":::", "it's", "$a  b"]);
    assert.deepEqual(shell.lines, ["IT'S", "$A  B"], shell.stderr);
    const plain = await map(["-S", "1/far", "-k", "--", "echo", "a\\tb", ":::", "1"]);
    assert.deepEqual(plain.lines, ["a\\tb 1"], plain.stderr);
  });
  it("have the environment that was asked for, nothing to read, and the same folder where there is one", async () => {
    const script = 'printf "%s|" "$ODD"; cat; pwd';
    const flags = ["-S", "1/far", "--env", "ODD=a 'b'", "-c", `${script} # {}`, ":::", "1"];
    assert.deepEqual((await map(flags, { input: "unread" })).stdout, `a 'b'|${fixtures.replace(/\/$/, "")}\n`);
  });
  it("tell how they end, with 255 too, and what they say on stderr", async () => {
    const log = path("jobs.tsv");
    const script = "echo out {}; echo err {} >&2; exit {}";
    const { status, stdout, stderr } = await map([
      "-S",
      "2/far",
      "-k",
      "--joblog",
      log,
      "-c",
      script,
      ":::",
      "0",
      "3",
      "255",
    ]);
    assert.deepEqual([status, stdout], [1, "out 0\nout 3\nout 255\n"], stderr);
    for (const code of [3, 255])
      assert.match(stderr, new RegExp(`1 × EXIT_${code}: /bin/sh exited with ${code}: err ${code}`));
    assert.match(stderr, /^err 255\n(?!manyhands)/m);
    const rows = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t"));
    assert.deepEqual(rows.map((row) => [row[1], row[6]]).toSorted(), [
      ["far", "0"],
      ["far", "255"],
      ["far", "3"],
    ]);
  });
  it("that take too long are ended there, with all that they started: asked to, and then made to", async () => {
    const name = path("polite");
    const polite = `trap 'echo ended; exit 5' TERM; echo $$ > {}; while :; do sleep 0.05; done`;
    const { status, stderr } = await map(["-S", "1/far", "--timeout", "1s", "-c", polite, ":::", name]);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /ERR_TASK_TIMEOUT/);
    for (const pid of await pidsIn(name)) await until(() => isGone(pid), "it to be gone");
    const stubborn = path("stubborn");
    await map(["-S", "1/far", "--timeout", "1s", "-c", LONG, ":::", stubborn]);
    for (const pid of await pidsIn(stubborn)) await until(() => isGone(pid), "it to be gone");
  });
  it("are gone when manyhands is killed", async () => {
    const name = path("killed");
    const { child, ended } = start(["map", "-S", "1/far", "--ssh", sshd.ssh, "-c", LONG, ":::", name]);
    const pids = await pidsIn(name);
    child.kill("SIGKILL");
    await ended;
    for (const pid of pids) await until(() => isGone(pid), "it to be gone");
  });
  it("may leave something behind that holds nothing of theirs", async () => {
    const name = path("left");
    const script = "sleep 60 > /dev/null 2>&1 & echo $! > {}";
    assert.equal((await map(["-S", "1/far", "-c", script, ":::", name])).status, 0);
    const [pid = 0] = await pidsIn(name);
    assert.ok(!isGone(pid));
    process.kill(pid, "SIGKILL");
  });
});

describe("a host", () => {
  it("whose connection is cut loses no item, and leaves no program behind", async () => {
    const name = path("cut");
    const script = `if [ -e {} ]; then echo again; else ${LONG}; fi`;
    const { ended } = start(["map", "-S", "1/far", "--ssh", sshd.ssh, "-c", script, ":::", name]);
    const pids = await pidsIn(name);
    sshd.cut();
    const { status, stdout, stderr } = await ended;
    assert.deepEqual([status, stdout], [0, "again\n"], stderr);
    for (const pid of pids) await until(() => isGone(pid), "it to be gone");
  });
  it("has as many slots as it has processors, or as -j says, where it does not say it", async () => {
    const { stderr } = await map(["-S", "far", "-j", "3", "--progress", "json", "-c", "sleep 1.5 # {}", ":::", "1"]);
    assert.match(stderr, /"workers":3,/);
    const nproc = await bash("getconf _NPROCESSORS_ONLN");
    const asked = await map(["-S", "far,1/:", "--progress", "json", "-c", "sleep 1.5 # {}", ":::", "1"]);
    assert.match(asked.stderr, new RegExp(`"workers":${Number(nproc.stdout) + 1},`));
  });
  it("that cannot be reached is left out, and told of", async () => {
    for (const hosts of ["1/:,1/closed", "1/:,closed"]) {
      const { status, lines, stderr } = await map(["-S", hosts, "-k", "--", "echo", ":::", "1", "2"]);
      assert.deepEqual([status, lines], [0, ["1", "2"]], stderr);
    }
    const told = await map(["-S", ":,closed", "--", "echo", ":::", "1"]);
    assert.match(told.stderr, /manyhands: goes on without a host: Cannot reach "closed": .*Connection refused/);
  });
  it("that cannot be reached ends the run where there is no other", async () => {
    for (const host of ["closed", "1/closed"]) {
      const { status, stdout, stderr } = await map(["-S", host, "--", "echo", ":::", "1"]);
      assert.deepEqual([status, stdout], [4, ""], stderr);
      assert.match(stderr, /closed.*Connection refused/);
      const module = await map([`${tasks}#double`, "-S", host, ...remote], { input: "1" });
      assert.deepEqual([module.status, module.stdout], [4, ""], module.stderr);
      assert.match(module.stderr, /Connection refused/);
    }
  });
});
