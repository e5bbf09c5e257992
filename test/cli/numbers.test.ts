import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatClock, formatCount, formatDuration, formatRate, formatShare } from "../../src/cli/output/numbers.ts";
import { renderLines } from "../../src/cli/output/progress-line.ts";
import { renderPlain } from "../../src/cli/output/progress-text.ts";
import { openReporter } from "../../src/cli/output/reporter.ts";
import type { ProgressView } from "../../src/observe/progress.ts";

const view: ProgressView = {
  read: 6_300,
  ok: 6_192,
  failed: 22,
  retrying: 12,
  running: 16,
  workers: 16,
  busyShare: 0.97,
  total: 10_000,
  share: 0.6214,
  rate: 148.2,
  etaMs: 25_600,
  p50Ms: 92,
  p99Ms: 610,
  elapsedMs: 42_000,
  taskMs: 600_000,
};
const style = { name: "resize.ts", worker: "thread", workers: "threads", columns: 92, isColoured: false };

describe("numbers for people", () => {
  const cases: readonly (readonly [string, string])[] = [
    [formatCount(1_234_567), "1,234,567"],
    [formatDuration(0.02), "0.02ms"],
    [formatDuration(0.4), "0.4ms"],
    [formatDuration(92.4), "92ms"],
    [formatDuration(999.7), "1.0s"],
    [formatDuration(4_210), "4.2s"],
    [formatDuration(59_400), "59s"],
    [formatDuration(59_700), "1m00s"],
    [formatDuration(68_000), "1m08s"],
    [formatDuration(3_599_800), "1h00m"],
    [formatDuration(7_380_000), "2h03m"],
    [formatClock(26_000), "0:26"],
    [formatClock(725_000), "12:05"],
    [formatClock(11_045_000), "3:04:05"],
    [formatRate(0), "0.0/s"],
    [formatRate(0.04), "2.4/min"],
    [formatRate(3.44), "3.4/s"],
    [formatRate(148.2), "148/s"],
    [formatRate(12_345), "12,345/s"],
    [formatShare(0.6214), "62%"],
    [formatShare(0.9999), "99%"],
  ];
  for (const [text, expected] of cases) it(expected, () => assert.equal(text, expected));
});

describe("the two lines on a terminal", () => {
  it("are as wide as there is room", () => {
    const [first, second] = renderLines(view, style);
    assert.match(first, /^resize\.ts ━+╸?─+ 6,214\/10,000 62% {2}148\/s {2}eta 0:26 {2}16 threads 97% busy$/);
    assert.equal(second, "          ✓ 6,192  ✗ 22  ↻ 12 retrying  ▸ 16 running  p50 92ms p99 610ms");
  });
  for (let columns = 20; columns <= 120; columns += 7) {
    it(`fit into ${columns} columns`, () => {
      for (const line of renderLines(view, { ...style, columns })) assert.ok(line.length <= columns, line);
    });
  }
  it("lose the bar first, then what stands last", () => {
    assert.equal(
      renderLines(view, { ...style, columns: 72 })[0],
      "resize.ts 6,214/10,000 62%  148/s  eta 0:26  16 threads 97% busy",
    );
    assert.match(
      renderLines(view, { ...style, columns: 62 })[0],
      /^resize\.ts ━+╸?─+ 6,214\/10,000 62% {2}148\/s {2}eta 0:26$/,
    );
  });
  it("count wide characters as two columns", () => {
    const [first] = renderLines(view, { ...style, name: "画像.ts", columns: 60 });
    assert.ok(first.length <= 58, first);
  });
  it("show a full bar only when all is done", () => {
    assert.match(renderLines({ ...view, share: 0.999 }, style)[0], /╸|─/);
    assert.doesNotMatch(renderLines({ ...view, share: 1 }, style)[0], /╸|─/);
  });
});

describe("plain progress", () => {
  const written: string[] = [];
  const terminal = {
    isTTY: false,
    columns: () => 80,
    environment: {},
    write: (text: string) => void written.push(text),
  };

  it("is one line", () => {
    assert.equal(renderPlain(view), "manyhands: 6,214/10,000 62% ok=6192 failed=22 running=16 rate=148/s eta=26s");
  });
  it("comes every 30 s or every 10 %, whichever is rarer", async () => {
    const at = (seconds: number, share: number | undefined) => {
      written.length = 0;
      reporter.tick(seconds * 1000, () => ({ ...view, share }));
      return written.length;
    };
    let reporter = await openReporter("auto", terminal, style, 0);
    const fast = [at(10, 0.5), at(30, 0.6), at(31, 0.9), at(59, 0.95), at(60, 0.97)];
    assert.deepEqual(fast, [0, 1, 0, 0, 1]);
    reporter = await openReporter("auto", terminal, style, 0);
    const slow = [at(30, 0.01), at(300, 0.09), at(330, 0.1), at(360, 0.11), at(3000, 0.2)];
    assert.deepEqual(slow, [0, 0, 1, 0, 1]);
    reporter = await openReporter("auto", terminal, style, 0);
    assert.deepEqual([at(29, undefined), at(30, undefined), at(45, undefined), at(60, undefined)], [0, 1, 0, 1]);
  });
});

describe("auto", () => {
  const drawsWith = async (isTTY: boolean, environment: Record<string, string>) => {
    let text = "";
    const terminal = { isTTY, columns: () => 80, environment, write: (piece: string) => (text += piece) };
    const reporter = await openReporter("auto", terminal, style, 0);
    reporter.tick(60_000, () => view);
    return text.includes("\u001b[K");
  };
  it("draws on a terminal that can, and nowhere else", async () => {
    assert.equal(await drawsWith(true, { TERM: "xterm" }), true);
    assert.equal(await drawsWith(false, { TERM: "xterm" }), false);
    assert.equal(await drawsWith(true, { TERM: "dumb" }), false);
    assert.equal(await drawsWith(true, { TERM: "xterm", CI: "true" }), false);
    assert.equal(await drawsWith(true, { TERM: "xterm", CI: "false" }), true);
  });
});
