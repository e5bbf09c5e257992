// The third of three programs: receives each result once, and tells the workers to end.
//
//   node examples/cluster/sink.mjs 1000 2      (results, workers)
import { Sink, sendCommand } from "manyhands/zeromq";

const [count = 1000, workers = 1] = process.argv.slice(2).map(Number);
const sink = new Sink({ results: { url: process.env.RESULTS ?? "tcp://127.0.0.1:5556", bind: true } });
let best = { label: "", divisors: [] };
for await (const { payload, requestMetadata } of sink.receive({ count, metadata: true })) {
  // Results come as they are done; of equals the smallest number counts, which is the last of its divisors.
  const lead = payload.length - best.divisors.length;
  if (lead > 0 || (lead === 0 && payload.at(-1) < best.divisors.at(-1))) {
    best = { label: requestMetadata, divisors: payload };
  }
}
await sink.close();
console.log(`${best.label} has the most divisors, ${best.divisors.length} of them`);

const obeyed = await sendCommand({ url: process.env.COMMANDS ?? "tcp://127.0.0.1:5557", bind: true }, "kill", {
  expect: workers,
});
console.log(`${obeyed} of ${workers} workers ended`);
