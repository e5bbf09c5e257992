// The second of three programs, started as often as there are cores, on as many machines as there are.
//
//   node examples/cluster/worker.mjs
import { ClusterWorker } from "manyhands/zeromq";

const worker = new ClusterWorker({
  requests: process.env.REQUESTS ?? "tcp://127.0.0.1:5555",
  results: process.env.RESULTS ?? "tcp://127.0.0.1:5556",
  commands: process.env.COMMANDS ?? "tcp://127.0.0.1:5557",
  handler(n, { attempt }) {
    if (attempt > 1) console.error("%d was with another worker before", n);
    const divisors = [];
    for (let d = 1; d <= n; d++) if (n % d === 0) divisors.push(d);
    return divisors;
  },
});
const { reason, code } = await worker.run();
console.log(`ended by ${reason}`);
process.exitCode = code;
