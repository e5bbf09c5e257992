import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failures, toFailure } from "../../src/observe/failures.ts";
import { Progress } from "../../src/observe/progress.ts";
import { Rate } from "../../src/observe/rate.ts";
import { summarize } from "../../src/observe/summary.ts";

function settle(progress: Progress, count: number, ok = true, runMs = 10, bytes = 0): void {
  for (let n = 0; n < count; n++) progress.apply({ kind: "settled", ok, runMs, bytes });
}

describe("progress", () => {
  it("counts what is read, succeeds and fails", () => {
    const progress = new Progress({ startedAt: 1000, total: 10, totalBytes: undefined });
    progress.apply({ kind: "read", items: 6 });
    settle(progress, 4);
    settle(progress, 1, false);
    const view = progress.view(2000);
    assert.deepEqual([view.read, view.ok, view.failed, view.share, view.elapsedMs], [6, 4, 1, 0.5, 1000]);
    assert.equal(view.rate, 5);
    assert.equal(view.etaMs, 1000);
    assert.equal(view.taskMs, 50);
  });
  it("takes its share from the bytes where the total is unknown", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: 1000 });
    settle(progress, 5, true, 10, 50);
    const view = progress.view(1000);
    assert.deepEqual([view.total, view.share, view.etaMs], [undefined, 0.25, 3000]);
  });
  it("sees no end where neither is known, until the input has one", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: undefined });
    progress.apply({ kind: "read", items: 8 });
    settle(progress, 4);
    assert.deepEqual([progress.view(1000).share, progress.view(1000).etaMs], [undefined, undefined]);
    progress.apply({ kind: "inputEnded" });
    assert.deepEqual([progress.view(1000).total, progress.view(1000).share], [8, 0.5]);
  });
  it("believes the input rather than what was promised", () => {
    const progress = new Progress({ startedAt: 0, total: 100, totalBytes: undefined });
    progress.apply({ kind: "read", items: 2 });
    settle(progress, 2);
    progress.apply({ kind: "inputEnded" });
    assert.equal(progress.view(10).share, 1);
  });
  it("is done from the start where there is nothing", () => {
    assert.equal(new Progress({ startedAt: 0, total: 0, totalBytes: undefined }).view(0).share, 1);
    assert.equal(new Progress({ startedAt: 0, total: undefined, totalBytes: 0 }).view(0).share, 1);
  });
  it("gives quantiles of the times in tasks, within a tenth", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: undefined });
    settle(progress, 98, true, 100);
    settle(progress, 2, true, 5000);
    const { p50Ms, p99Ms } = progress.view(1);
    assert.ok(p50Ms >= 100 && p50Ms < 110, `p50 ${p50Ms}`);
    assert.ok(p99Ms >= 5000 && p99Ms < 5500, `p99 ${p99Ms}`);
  });
  it("leaves items that never ran out of the times", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: undefined });
    settle(progress, 5, false, 0);
    settle(progress, 1, true, 100);
    assert.ok(progress.view(1).p50Ms >= 100);
  });
  it("smooths how busy the workers are", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: undefined });
    progress.apply({ kind: "sampled", running: 2, workers: 2, busyShare: 1 });
    progress.apply({ kind: "sampled", running: 0, workers: 2, busyShare: 0 });
    assert.deepEqual([progress.view(0).busyShare, progress.view(0).running, progress.view(0).workers], [0.8, 0, 2]);
  });
});

describe("a rate", () => {
  it("is that since the start at first", () => {
    assert.deepEqual(new Rate(1000).at(3000, 10, 0.5), { items: 5, share: 0.25 });
  });
  it("is that of the last while later on", () => {
    const rate = new Rate(0);
    for (let at = 0; at <= 60_000; at += 1000) rate.at(at, at < 30_000 ? 0 : (at - 30_000) / 10);
    const last = rate.at(60_000, 3000).items;
    assert.ok(Math.abs(last - 100) < 1, String(last));
  });
  it("looks back further where items take long", () => {
    const rate = new Rate(0);
    for (let at = 0; at <= 600_000; at += 500) rate.at(at, Math.floor(at / 20_000), Math.floor(at / 20_000) / 60);
    const { items, share } = rate.at(619_000, 30, 0.5);
    assert.ok(items > 0.04 && items < 0.055, String(items));
    assert.ok(Math.abs(share * 60 - items) < 1e-9);
  });
  it("slows down when nothing more happens", () => {
    const rate = new Rate(0);
    rate.at(1000, 50);
    assert.equal(rate.at(50_000, 50).items, 1);
  });
  it("is nothing at the start", () => assert.deepEqual(new Rate(0).at(0, 0), { items: 0, share: 0 }));
});

describe("failures", () => {
  const failure = (message: string, code?: string) => ({ name: "Error", code, message });
  const add = (failures: Failures, message: string, seq: number, code?: string) =>
    failures.add(failure(message, code), seq, () => `example ${seq}`);

  it("are grouped by what is left without numbers, paths and quoted words", () => {
    const failures = new Failures();
    add(failures, "ENOENT: no such file or directory, open '/a/1.png'", 3, "ENOENT");
    add(failures, "ENOENT: no such file or directory, open '/b/2.png'", 4, "ENOENT");
    add(failures, "took 30 ms", 5);
    add(failures, "took 31 ms", 6);
    add(failures, 'bad "x" in src/a/b.ts', 7);
    add(failures, 'bad "y" in src/c/d.ts', 8);
    add(failures, "something else", 9);
    assert.deepEqual(
      failures.causes().map(({ count, label, firstSeq, example }) => [count, label, firstSeq, example]),
      [
        [2, "ENOENT", 3, "example 3"],
        [2, "Error", 5, "example 5"],
        [2, "Error", 7, "example 7"],
        [1, "Error", 9, "example 9"],
      ],
    );
    assert.equal(failures.count, 7);
  });
  it("put the most frequent first", () => {
    const failures = new Failures();
    add(failures, "rare", 1);
    add(failures, "often", 2);
    add(failures, "often", 3);
    assert.deepEqual(
      failures.causes().map(({ message }) => message),
      ["often", "rare"],
    );
  });
  it("tell codes apart", () => {
    const failures = new Failures();
    add(failures, "no", 1, "EA");
    add(failures, "no", 2, "EB");
    assert.equal(failures.causes().length, 2);
  });
  it("stay bounded, whatever the messages are", () => {
    const failures = new Failures();
    const word = (n: number) => String(n).replaceAll(/\d/g, (digit) => "abcdefghij".charAt(Number(digit)));
    for (let n = 0; n < 10_000; n++) add(failures, `reason ${word(n)}`, n);
    const causes = failures.causes();
    assert.ok(causes.length <= 201, String(causes.length));
    assert.equal(
      causes.reduce((sum, { count }) => sum + count, 0),
      10_000,
    );
    assert.equal(causes[0]?.label, "other causes");
  });
  it("can be anything that is thrown", () => {
    const hostile = {
      get message(): string {
        throw new Error("no");
      },
    };
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const thrown = [
      null,
      undefined,
      "text",
      7,
      Symbol("s"),
      { code: 12 },
      hostile,
      cyclic,
      Object.assign(new Error("m"), { code: "EC" }),
    ];
    assert.deepEqual(
      thrown.map((value) => toFailure(value).message),
      [
        "null",
        "undefined",
        "text",
        "7",
        "Symbol(s)",
        '{"code":12}',
        "an error that cannot be read",
        "an error that cannot be read",
        "m",
      ],
    );
    assert.deepEqual(toFailure(thrown[8]), { name: "Error", code: "EC", message: "m" });
  });
});

describe("a summary", () => {
  it("has rate and speed-up from the wall time", () => {
    const progress = new Progress({ startedAt: 0, total: undefined, totalBytes: undefined });
    settle(progress, 9, true, 400);
    settle(progress, 1, false, 400);
    const summary = summarize(progress.view(2000), new Failures(), 3);
    assert.deepEqual([summary.ok, summary.failed, summary.unfinished, summary.rate, summary.speedUp], [9, 1, 3, 5, 2]);
  });
});
