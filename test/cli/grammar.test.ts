import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaint } from "../../src/cli/complaint.ts";
import { parseClusterUrl } from "../../src/cli/grammar/cluster-url.ts";
import { parseCount } from "../../src/cli/grammar/count.ts";
import { parseDuration } from "../../src/cli/grammar/duration.ts";
import { parseEnvironment } from "../../src/cli/grammar/environment.ts";
import { type HaltRule, isHalted, needsTotal, parseHalt } from "../../src/cli/grammar/halt.ts";
import { parseHosts } from "../../src/cli/grammar/hosts.ts";
import { parseJobs } from "../../src/cli/grammar/jobs.ts";
import { parseTimeout } from "../../src/cli/grammar/timeout.ts";
import { parseWords } from "../../src/cli/grammar/words.ts";

/** The act ends with a complaint that names what was given. */
function refuses(act: () => unknown, given: string): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof Complaint);
    assert.equal(error.ending, "usage");
    assert.ok(error.message.includes(`"${given}"`), error.message);
    return true;
  });
}

describe("a duration", () => {
  const read: Readonly<Record<string, number>> = {
    "500ms": 500,
    "30s": 30_000,
    "1.5m": 90_000,
    "2h": 7_200_000,
    "1d": 86_400_000,
    "10": 10_000,
    "0.25": 250,
    "0": 0,
  };
  for (const [text, ms] of Object.entries(read))
    it(`${text} is ${ms} ms`, () => assert.equal(parseDuration("--grace", text), ms));
  for (const text of ["", "s", "-1s", "1 parsec", "ten", "1e3", "NaN", "Infinity", "5m5"]) {
    it(`refuses "${text}"`, () => refuses(() => parseDuration("--grace", text), text));
  }
});

describe("a count", () => {
  it("is a whole number", () => assert.equal(parseCount("-n", "12", 1), 12));
  it("may be written as 1e6", () => assert.equal(parseCount("--total", "1e6", 0), 1_000_000));
  for (const text of ["0", "-1", "1.5", "NaN", "", "x", "0x10", "1e99"]) {
    it(`refuses "${text}" where one is the least`, () => refuses(() => parseCount("-n", text, 1), text));
  }
});

describe("-j", () => {
  const read: Readonly<Record<string, number>> = { "3": 3, "50%": 4, "100%": 8, "200%": 16, "1%": 1, auto: 8 };
  for (const [text, size] of Object.entries(read)) {
    it(`${text} of 8 processors is ${size}`, () => assert.equal(parseJobs(text, 8), size));
  }
  for (const text of ["0", "0%", "-1", "1.5", "all", "", "%", "NaN"]) {
    it(`refuses "${text}"`, () => refuses(() => parseJobs(text, 8), text));
  }
});

describe("--timeout", () => {
  it("is a duration", () => assert.deepEqual(parseTimeout("30s"), { kind: "fixed", ms: 30_000 }));
  it("is a percent of the median", () => assert.deepEqual(parseTimeout("200%"), { kind: "median", percent: 200 }));
  for (const text of ["0", "100%", "50%", "%", "soon"])
    it(`refuses "${text}"`, () => refuses(() => parseTimeout(text), text));
});

describe("--env", () => {
  it("gives names their values, which may hold anything", () => {
    assert.deepEqual({ ...parseEnvironment(["A=1", "B=x=y", "C=", "A=2"]) }, { A: "2", B: "x=y", C: "" });
  });
  it("takes no name for a member of objects", () => {
    assert.deepEqual(Object.keys(parseEnvironment(["__proto__=1"])), ["__proto__"]);
  });
  for (const text of ["A", "=1", ""]) it(`refuses "${text}"`, () => refuses(() => parseEnvironment([text]), text));
});

describe("the grammar of --halt", () => {
  for (const when of ["now", "soon"] as const) {
    for (const why of ["fail", "success", "done"] as const) {
      it(`reads ${when},${why}=N and N%`, () => {
        assert.deepEqual(parseHalt(`${when},${why}=3`), { when, why, limit: 3, isPercent: false });
        assert.deepEqual(parseHalt(`${when},${why}=30%`), { when, why, limit: 30, isPercent: true });
      });
    }
  }
  const short: Readonly<Record<string, string>> = {
    "1": "soon,fail=1",
    "2": "now,fail=1",
    "-1": "soon,success=1",
    "-2": "now,success=1",
    "20%": "soon,fail=20%",
  };
  for (const [text, long] of Object.entries(short)) {
    it(`reads ${text} as ${long}`, () => assert.deepEqual(parseHalt(text), parseHalt(long)));
  }
  it("reads never, and 0 as never", () => {
    assert.deepEqual(parseHalt("never"), { when: "never" });
    assert.deepEqual(parseHalt("0"), { when: "never" });
  });
  const wrong = ["", "soon", "now,fail", "later,fail=1", "now,lose=1", "now,fail=0", "now,fail=-1", "now,fail=1.5"];
  for (const text of [...wrong, "now,fail=101%", "soon,fail=0%", "now, fail=1", "3", "never,fail=1"]) {
    it(`refuses "${text}"`, () => refuses(() => parseHalt(text), text));
  }
});

describe("the moment to halt", () => {
  const at = (text: string, ok: number, failed: number, total?: number) => {
    const rule: HaltRule = parseHalt(text);
    return isHalted(rule, { ok, failed, total });
  };
  it("never comes for never", () => assert.equal(at("never", 5, 5, 10), false));
  it("counts failures", () => assert.deepEqual([at("now,fail=2", 9, 1), at("now,fail=2", 0, 2)], [false, true]));
  it("counts successes", () => assert.deepEqual([at("now,success=2", 1, 9), at("now,success=2", 2, 0)], [false, true]));
  it("counts both for done", () => assert.deepEqual([at("now,done=3", 1, 1), at("now,done=3", 1, 2)], [false, true]));
  it("takes a percent of the total", () => {
    assert.deepEqual([at("now,fail=10%", 0, 9, 100), at("now,fail=10%", 0, 10, 100)], [false, true]);
    assert.deepEqual([at("now,done=50%", 3, 1, 10), at("now,done=50%", 3, 2, 10)], [false, true]);
  });
  it("takes a percent of failures of what is done while the total is unknown, from the third on", () => {
    assert.deepEqual(
      [at("now,fail=10%", 0, 2), at("now,fail=10%", 28, 3), at("now,fail=10%", 27, 3)],
      [false, false, true],
    );
  });
  it("needs a total for a percent of anything but failures", () => {
    const needing = ["now,success=5%", "now,done=5%", "now,fail=5%", "now,done=5", "never"].map((text) =>
      needsTotal(parseHalt(text)),
    );
    assert.deepEqual(needing, [true, true, false, false, false]);
    assert.equal(at("now,success=1%", 100, 0), false);
  });
  it("does not come before anything happened, whatever the percent", () =>
    assert.equal(at("now,fail=1%", 0, 0, 10), false));
});

describe("hosts", () => {
  it("are names, with numbers of slots or without, several with commas", () => {
    assert.deepEqual(parseHosts([":", "4/one,user@two.example", "1e1/three"]), [
      { host: ":", slots: undefined },
      { host: "one", slots: 4 },
      { host: "user@two.example", slots: undefined },
      { host: "three", slots: 10 },
    ]);
  });
  for (const text of ["", "one,", "0/one", "x/one", "-oProxyCommand=id", "1/-x", "a b", "1/2/one"])
    it(`refuse "${text}"`, () =>
      refuses(() => parseHosts([text]), text.startsWith("0/") ? "0" : text.startsWith("x/") ? "x" : text));
});

describe("the words of a command", () => {
  const read: Readonly<Record<string, readonly string[]>> = {
    ssh: ["ssh"],
    "  ssh -p 22\t-4 ": ["ssh", "-p", "22", "-4"],
    "'a b' \"c 'd' \\\" e\" f\\ g h'i'\"j\"": ["a b", "c 'd' \" e", "f g", "hij"],
    "'' \"\" $HOME `id` *": ["", "", "$HOME", "`id`", "*"],
  };
  for (const [text, words] of Object.entries(read)) it(text, () => assert.deepEqual(parseWords("--ssh", text), words));
  for (const text of ["", " ", "'a", 'a "b', "a\\"])
    it(`refuse "${text}"`, () => refuses(() => parseWords("--ssh", text), text));
});

describe("a cluster's address", () => {
  it("is job servers, or a port", () => {
    assert.deepEqual(parseClusterUrl("gearman://one:4730,two"), {
      engine: "gearman",
      text: "gearman://one:4730,two",
      servers: "gearman://one:4730,two",
    });
    assert.deepEqual(parseClusterUrl("zmq+tcp://one:5555"), {
      engine: "zeromq",
      text: "zmq+tcp://one:5555",
      address: "tcp://one:5555",
    });
    assert.equal((parseClusterUrl("zmq+ipc:///tmp/pool") as { address: string }).address, "ipc:///tmp/pool");
  });
  for (const text of ["", "one", "tcp://one:5555", "zmq+udp://one:1", "gearman://", "zmq+tcp://one two"]) {
    it(`is not "${text}"`, () => refuses(() => parseClusterUrl(text), text));
  }
});
