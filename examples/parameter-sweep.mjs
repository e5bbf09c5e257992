// A parameter sweep with the library: every combination is simulated, and the cheapest one that is good enough is told.
//
//   node examples/parameter-sweep.mjs 30
import { Pool } from "manyhands";
import { threads } from "manyhands/threads";

const arrivals = Number(process.argv[2] ?? 30);
const pool = new Pool(threads(new URL("./queue-sim.mjs", import.meta.url)));
try {
  const found = [];
  // The combinations are made as they are needed, and results come in their order; one that is impossible is no reason to stop.
  for await (const result of pool.imap("simulate", combinations(), { onError: "collect" })) {
    if (result.ok) found.push(result.value);
    else console.log(`impossible: ${result.error.message}`);
  }
  const good = found.filter((shop) => shop.p95WaitMinutes <= 5);
  const cheapest = good.toSorted((a, b) => cost(a) - cost(b))[0];
  console.log(
    `${found.length} simulated, ${good.length} keep 95 % of waits within 5 minutes; the cheapest is`,
    cheapest,
  );
} finally {
  await pool.close();
}

function* combinations() {
  for (let tills = 1; tills <= 8; tills++) {
    for (const served of [6, 8, 10, 12, 15]) yield { arrivals, tills, served };
  }
}

/** A faster till costs more, but less than twice as much for twice the speed. */
function cost({ tills, served }) {
  return tills * served ** 0.8;
}
