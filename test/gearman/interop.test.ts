// Clients and workers of others, in each direction: libgearman through the gearman command and PHP, and Perl's own implementation.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { GearmanError, type GearmanHandler } from "../../src/backends/gearman/index.ts";
import { rejectionOf } from "../../src/testing/stage.ts";
import { openClient, openWorker } from "./parties.ts";
import { type Kind, startServer, type TestServer } from "./server.ts";

const payload = "payload with 'quotes' and ü";
const reversed = Buffer.from(Buffer.from(payload).toReversed());

/** Reverses its payload, and says everything that a worker can say on the way. */
const reverse: GearmanHandler = (bytes, job) => {
  job.status(1, 2);
  job.data("some data");
  return bytes.toReversed();
};
const fails: GearmanHandler = () => {
  throw new Error("too small");
};

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Clients: how they are called, and what they print. */
const clients: Readonly<
  Record<string, (server: TestServer, fn: string) => readonly [program: string, ...args: string[]]>
> = {
  PHP: ({ port }, fn) => ["php", fixture("submits.php"), "127.0.0.1", `${port}`, fn, payload],
  Perl: ({ address }, fn) => ["perl", fixture("submits.pl"), address, fn, payload],
};

/** Workers that others have written, and on which servers they work at all: libgearman's ask for jobs in a way new to the one in Perl. */
const workers: Readonly<
  Record<
    string,
    readonly [kinds: readonly Kind[], (server: TestServer) => readonly [program: string, ...args: string[]]]
  >
> = {
  PHP: [["gearmand"], ({ port }) => ["php", fixture("reverses.php"), "127.0.0.1", `${port}`]],
  Perl: [["gearmand", "perl"], ({ address }) => ["perl", fixture("reverses.pl"), address]],
};

for (const kind of ["gearmand", "perl"] as const satisfies Kind[]) {
  describe(`through ${kind}, our worker (C8)`, { timeout: 120_000 }, () => {
    for (const [language, call] of Object.entries(clients)) {
      it(`serves a client in ${language}`, async (t) => {
        const server = await startServer(t, { kind });
        await openWorker(t, server.address, { reverse, fails });

        const heard = await outputOf(call(server, "reverse"));
        const failure = await outputOf(call(server, "fails"));

        assert.ok(heard.includes(Buffer.concat([Buffer.from("result: "), reversed])), heard.toString());
        assert.match(heard.toString(), /^status: 1\/2$/m);
        // The server in Perl has no data, and the client in Perl does not show it.
        if (language === "PHP" && kind === "gearmand") assert.match(heard.toString(), /^data: some data$/m);
        assert.equal(failure.toString(), "exception: too small\n");
      });
    }

    it("serves the gearman command", async (t) => {
      const server = await startServer(t, { kind });
      await openWorker(t, server.address, { plain: (bytes) => bytes.toReversed() });
      assert.deepEqual(await outputOf(command(server, "-f", "plain"), payload), reversed);
    });

    it("serves a background job of the gearman command", async (t) => {
      const server = await startServer(t, { kind });
      await outputOf(command(server, "-b", "-f", "later"), payload);
      const got = new Promise<string>((resolve) => {
        void openWorker(t, server.address, { later: (bytes) => resolve(bytes.toString()) });
      });
      assert.equal(await got, payload);
    });
  });
}

describe("our client (C8)", { timeout: 120_000 }, () => {
  for (const [language, [kinds, call]] of Object.entries(workers)) {
    for (const kind of kinds) {
      it(`is served by a worker in ${language} through ${kind}`, async (t) => {
        const server = await startServer(t, { kind });
        start(t, call(server));
        const client = openClient(t, server.address);
        const seen: string[] = [];

        const result = await client.submit("reverse", payload, {
          onStatus: (numerator, denominator) => seen.push(`${numerator}/${denominator}`),
          onData: (data) => seen.push(data.toString()),
        });

        assert.deepEqual(result, reversed);
        assert.deepEqual(seen, language === "PHP" ? ["1/2", payload] : ["1/2"]);
        const error = await rejectionOf(GearmanError, client.submit("fail", "x"));
        if (language === "PHP") {
          assert.equal(error.code, "WORK_FAIL");
          const exception = await rejectionOf(GearmanError, client.submit("except", "x"));
          assert.deepEqual([exception.code, exception.message], ["WORK_EXCEPTION", "from PHP"]);
        } else {
          // Perl freezes what was thrown. The text is in it.
          assert.equal(error.code, "WORK_EXCEPTION");
          assert.match(error.message, /from Perl/);
        }
      });
    }
  }

  it("is served by the gearman command as a worker", async (t) => {
    const server = await startServer(t);
    start(t, ["gearman", "-w", "-h", "127.0.0.1", "-p", `${server.port}`, "-f", "upper", "--", "tr", "a-z", "A-Z"]);
    const client = openClient(t, server.address);
    const texts = ["one", "two", "three"];
    const results = await Promise.all(texts.map((text) => client.submit("upper", text)));
    assert.deepEqual(results.map(String), ["ONE", "TWO", "THREE"]);
  });
});

describe("a client of libgearman that did not ask for exceptions", { timeout: 60_000 }, () => {
  it("hears that a job failed from a worker without exceptions", async (t) => {
    const server = await startServer(t);
    await openWorker(t, server.address, { fails }, { exceptions: false });
    assert.match(await failureOf(command(server, "-f", "fails"), "x"), /too small[\s\S]*Job failed/);
    const warnings: string[] = [];
    const client = openClient(t, server.address);
    const error = await rejectionOf(
      GearmanError,
      client.submit("fails", "x", { onWarning: (text) => warnings.push(text.toString()) }),
    );
    assert.deepEqual([error.code, warnings], ["WORK_FAIL", ["too small"]]);
  });
});

function command(server: TestServer, ...args: string[]): readonly [string, ...string[]] {
  return ["gearman", "-h", "127.0.0.1", "-p", `${server.port}`, ...args];
}

function start(t: TestContext, [program, ...args]: readonly [string, ...string[]]): ChildProcess {
  const worker = spawn(program, args, { stdio: "ignore" });
  t.after(() => worker.kill("SIGKILL"));
  return worker;
}

/** What the program prints, when it succeeds within 20 seconds. */
async function outputOf([program, ...args]: readonly [string, ...string[]], input = ""): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { encoding: "buffer" as const, timeout: 20_000 };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout.toString()}${stderr.toString()}`));
    });
    child.stdin!.end(input);
  });
}

async function failureOf(call: readonly [string, ...string[]], input: string): Promise<string> {
  return await outputOf(call, input).then(
    (output) => assert.fail(`It succeeded: ${output.toString()}`),
    (error: Error) => error.message,
  );
}
