// What manyhands has to reach: each row compares one metric of one measurement with a reference.

const bestPeer = { bestPeer: true };
const entrant = (name) => ({ entrant: name });
const nothing = {}; // a plain limit
/** What the new spaces of three isolates come to when they have grown; the heap beside it says whether anything is kept. */
const NEW_SPACES_MB = 48;

/**
 * `ratio` says which way it is read: "mine/theirs", or "theirs/mine" (an efficiency: the ideal's time over ours).
 * `atLeast` or `atMost` is the reach, of the ratio or, without a reference, of the value itself; a row without either
 * is there to be read beside its neighbours.
 * An `isAside` row does not keep slow peers in the race.
 */
export const rows = [
  row("threads-at-once", "perSecond", "threads, 100,000 no-op tasks at once", bestPeer, { atLeast: 8 }),
  row("threads-in-flight", "perSecond", "threads, no-op, 64 in flight", bestPeer, { atLeast: 5 }),
  row("threads-one-at-a-time", "roundTripUs", "threads, no-op, one at a time", bestPeer, { atMost: 1 }),
  row("threads-one-at-a-time", "roundTripUs", "… against raw postMessage", entrant("raw postMessage"), {
    atMost: 1.15,
  }),
  ...["at-once", "in-flight"].flatMap((id) => [
    row(`work-${id}`, "wallMs", `threads, 100 µs of work, ${howLoaded(id)}, against the ideal`, entrant("ideal"), {
      atLeast: 0.85,
      ratio: "theirs/mine",
    }),
    row(`work-${id}`, "wallMs", "… against a plain loop", entrant("loop"), { atMost: 1 }),
    row(`work-${id}`, "wallMs", "… against the best peer", bestPeer, { atMost: 1 }),
  ]),
  row("mixed", "wallMs", "threads, 4,000 tasks, 1 % of 25 ms, at once: wall time", bestPeer, { atMost: 0.75 }),
  row("mixed", "wallMs", "… the ideal, no-ops left out, over it", entrant("ideal"), { ratio: "theirs/mine" }),
  row("mixed", "shortMedianMs", "… when the median short task is done", bestPeer, { atMost: 1 }),
  row("small-objects", "perSecond", "threads, { id, name, ok } in and out, 64 in flight", bestPeer, { atLeast: 3.5 }),
  row("kilobyte-objects", "perSecond", "threads, 1 KB objects in and out, 64 in flight", bestPeer, { atLeast: 1.3 }),
  row("map-item-by-item", "perSecond", "threads, map of 1,000,000; peers item by item", bestPeer, { atLeast: 40 }),
  row("map-chunked", "perSecond", "threads, map of 1,000,000; peers by hand, 1,000 a call", bestPeer, { atLeast: 1.5 }),
  row("processes-at-once", "perSecond", "processes, 100,000 no-op tasks at once", bestPeer, { atLeast: 8 }),
  row("processes-in-flight", "perSecond", "processes, no-op, 64 in flight", bestPeer, { atLeast: 3 }),
  row(
    "node-programs",
    "perSecond",
    "programs of Node as workers, 100,000 no-op tasks at once",
    entrant("jest-worker"),
    {
      atLeast: 5,
    },
  ),
  row(
    "python-programs",
    "perSecond",
    "programs of Python as workers, 50,000 small tasks, lazily",
    entrant("Pool.imap of Python"),
    { atLeast: 3 },
  ),
  row("program-each", "wallMs", "a program an item, 2,000 runs of true, 2 at once", entrant("xargs"), { atMost: 2.5 }),
  row("program-each", "wallMs", "… against GNU parallel", entrant("parallel"), { atMost: 0.5 }),
  row("queued-memory", "rssMb", "memory of the caller, 100,000 queued", bestPeer, { atMost: 1 }),
  row("threads-at-once", "peakMb", "… the most until all are done", bestPeer, { atMost: 1, isAside: true }),
  ...[1, 10].flatMap((mb) => [
    row(`cloned-${mb}mb`, "ms", `threads, ${mb} MB cloned there and back`, bestPeer, { atMost: 1 }),
    row(`moved-${mb}mb`, "ms", `threads, ${mb} MB transferred`, bestPeer, { atMost: 1 }),
  ]),
  row("submit", "submitUs", "1,000,000 queued by run: submitting one", nothing, { atMost: 2 }),
  row("submit", "bytesATask", "… memory of one", nothing, { atMost: 600 }),
  row("lazy-map-memory", "rssGainMb", "1,000,000 through imap: memory gained after a tenth", nothing, {
    atMost: NEW_SPACES_MB,
  }),
  row("lazy-map-memory", "heapGainMb", "… heap gained", nothing, { atMost: 2 }),
  queueRow("pushNs", "queue of 1,000,000 against one of 1,000: adding"),
  queueRow("setPriorityNs", "… another priority"),
  queueRow("cancelNs", "… cancelling"),
  queueRow("drainNs", "… taking out and running"),
  row("import", "ms", "importing, less an empty program", nothing, { atMost: 30 }),
  row("fairness", "turnsFactor", "20 callers on one worker: longest wait, in turns of all", nothing, { atMost: 3 }),
  row("fairness", "p999Factor", "… the 99.9 % wait over the mean wait", nothing, { atMost: 5 }),
  row("long-beside-short", "share", "a long task beside short ones: last short one ÷ long one", nothing, {
    atMost: 0.5,
  }),
];

function row(measurement, metric, title, against, reach) {
  return { measurement, metric, title, against, ratio: "mine/theirs", ...reach };
}

// O(log n) doubles from a thousand to a million; the rest is for a queue that no longer fits the processor's caches.
function queueRow(metric, title) {
  return row("queue-1000000", metric, title, { measurement: "queue-1000" }, { atMost: 10 });
}

function howLoaded(id) {
  return id === "at-once" ? "at once" : "64 in flight";
}

/** Metrics: how a value is written, and whether more is better. */
export const metrics = {
  perSecond: { unit: "/s", isMoreBetter: true },
  roundTripUs: { unit: "µs" },
  submitUs: { unit: "µs" },
  wallMs: { unit: "ms" },
  shortMedianMs: { unit: "ms" },
  ms: { unit: "ms" },
  rssMb: { unit: "MB" },
  peakMb: { unit: "MB" },
  rssGainMb: { unit: "MB" },
  heapGainMb: { unit: "MB" },
  bytesATask: { unit: "bytes" },
  pushNs: { unit: "ns" },
  setPriorityNs: { unit: "ns" },
  cancelNs: { unit: "ns" },
  drainNs: { unit: "ns" },
  turnsFactor: { unit: "×" },
  p999Factor: { unit: "×" },
  share: { unit: "×" },
};
