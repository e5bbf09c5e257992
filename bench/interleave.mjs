// Runs one measurement: round after round, in each every entrant once, each time in a process of its own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { metrics, rows } from "./rows.mjs";
import { median } from "./stats.mjs";

const measured = fileURLToPath(new URL("measured.mjs", import.meta.url));

/**
 * Resolves to a map from an entrant's name to `{ entrant, rounds, failure? }`; `rounds[i]` are the metrics of round i,
 * or undefined where it took no part. An entrant that fails, or after two rounds has reached less than half of the best
 * in everything that is compared, takes no further part.
 */
export async function interleave(measurement, { rounds, node, timeoutMs, signal, onStart = () => {} }) {
  const outcomes = new Map(measurement.entrants.map((entrant) => [entrant.name, { entrant, rounds: [] }]));
  for (let round = 0; round < rounds; round++) {
    const turn = [...outcomes.values()].filter((outcome) => outcome.failure === undefined && outcome.isSlow !== true);
    // Nobody always runs first.
    for (const outcome of [...turn.slice(round % turn.length), ...turn.slice(0, round % turn.length)]) {
      signal.throwIfAborted();
      onStart(`${measurement.id}, round ${round + 1} of ${rounds}: ${outcome.entrant.name}`);
      const { metrics: seen, error } = await measureOnce(measurement, outcome.entrant, { node, timeoutMs, signal });
      if (error === undefined) outcome.rounds[round] = seen;
      else outcome.failure = error;
    }
    if (round === 1) markSlow(measurement, [...outcomes.values()]);
  }
  return outcomes;
}

function markSlow(measurement, outcomes) {
  const compared = rows.filter((row) => row.measurement === measurement.id && row.against.bestPeer && !row.isAside);
  if (compared.length === 0) return;
  const peers = outcomes.filter(({ entrant, failure }) => entrant.isPeer && failure === undefined);
  for (const outcome of peers) {
    outcome.isSlow = compared.every(({ metric }) => {
      const best = Math.max(...peers.map((peer) => goodness(peer, metric)));
      return goodness(outcome, metric) < best / 2;
    });
  }
}

/** A number that is higher for the better one, whatever the metric. */
export function goodness(outcome, metric) {
  const values = outcome.rounds.filter((seen) => seen !== undefined).map((seen) => seen[metric]);
  if (values.length === 0) return 0;
  return metrics[metric].isMoreBetter ? median(values) : 1 / median(values);
}

function measureOnce(measurement, { peer, options, settings }, { node, timeoutMs, signal }) {
  const job = {
    ...measurement,
    entrants: undefined,
    peer,
    options,
    settings: { ...measurement.settings, ...settings },
  };
  const env = { ...process.env, NODE_OPTIONS: "" };
  return new Promise((resolve) => {
    // A process group of its own, so that what a peer leaves running can be ended with it.
    const child = spawn(node, ["--expose-gc", measured, JSON.stringify(job)], {
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    let verdict = "";
    const end = (why) => {
      verdict ||= why;
      endGroup(child.pid);
    };
    const timer = setTimeout(end, timeoutMs, `no end in ${timeoutMs / 1000} s`);
    const onAbort = () => end("interrupted");
    signal.addEventListener("abort", onAbort);
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err = (err + chunk).slice(-2000)));
    const settle = (how) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      endGroup(child.pid);
      const line = /@result (.*)\n/.exec(out)?.[1];
      if (verdict === "" && line !== undefined) resolve(JSON.parse(line));
      else resolve({ error: verdict || `${how}: ${lastLine(err)}` });
    };
    child.on("error", (error) => settle(String(error)));
    // 'exit', not 'close': a child that a peer left behind may hold the pipes open. The last bytes may come after it.
    child.on("exit", (code, by) => setTimeout(settle, 20, `ended with ${by ?? code}`));
  });
}

function endGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

function lastLine(text) {
  return (
    text
      .trim()
      .split("\n")
      .findLast((line) => /error/i.test(line)) ?? text.trim().slice(-200)
  );
}
