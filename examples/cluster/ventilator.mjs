// The first of three programs: sends the numbers whose divisors are wanted, and ends when the sink has all results.
//
//   node examples/cluster/ventilator.mjs 1000
import { Ventilator } from "manyhands/zeromq";

const count = Number(process.argv[2] ?? 1000);
const ventilator = new Ventilator({
  requests: { url: process.env.REQUESTS ?? "tcp://127.0.0.1:5555", bind: true },
  // Under the same id, what is sent again after a crash is delivered once.
  id: "divisors",
});
await ventilator.send(numbers(), { metadata: labels() });
await ventilator.close();
console.log(`${ventilator.snapshot().done} requests done`);

// Read as workers ask for them: there may be any number.
function* numbers() {
  for (let n = 1; n <= count; n++) yield n;
}

function* labels() {
  for (let n = 1; n <= count; n++) yield `#${n}`;
}
