// Results to verdicts.
import { goodness } from "./interleave.mjs";
import { rows } from "./rows.mjs";
import { median, spread } from "./stats.mjs";

const LEVEL = 1.05; // where the reach is "no slower", this much may be noise

/** Every row that was measured, with its figures: `{ row, mine, theirs?, reference?, ratio, verdict }`. */
export function judge(results) {
  return rows.filter((row) => results.has(row.measurement)).map((row) => judgeRow(row, results));
}

function judgeRow(row, results) {
  const outcomes = results.get(row.measurement);
  const mine = outcomes.get("manyhands");
  const theirs = referenceOf(row, outcomes, results);
  const figures = {
    row,
    mine: mine && spreadOf(mine, row.metric),
    theirs: theirs && spreadOf(theirs, row.metric),
    reference: theirs && (row.against.measurement ?? theirs.entrant.name),
    failure: mine?.failure,
  };
  if (figures.mine === undefined || (isCompared(row) && figures.theirs === undefined)) {
    return { ...figures, verdict: "not measured" };
  }
  const ratio = isCompared(row) ? spread(ratios(row, mine, theirs)) : figures.mine;
  return { ...figures, ratio, verdict: verdictOf(row, ratio.median) };
}

function isCompared(row) {
  return Object.keys(row.against).length > 0;
}

function referenceOf(row, outcomes, results) {
  if (row.against.measurement !== undefined) return results.get(row.against.measurement)?.get("manyhands");
  if (row.against.entrant !== undefined) return outcomes.get(row.against.entrant);
  if (!row.against.bestPeer) return undefined;
  return bestPeerOf(outcomes, row.metric);
}

export function bestPeerOf(outcomes, metric) {
  return [...outcomes.values()]
    .filter(({ entrant, rounds }) => entrant.isPeer && rounds.some((seen) => seen !== undefined))
    .reduce((best, peer) => (!best || goodness(peer, metric) > goodness(best, metric) ? peer : best), undefined);
}

export function spreadOf({ rounds }, metric) {
  const values = rounds.map((seen) => seen?.[metric]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : spread(values);
}

// Round by round, so that a machine that was busy for a while slowed both.
function ratios(row, mine, theirs) {
  const out = [];
  for (const [round, seen] of mine.rounds.entries()) {
    const other = theirs.rounds[round];
    if (seen === undefined || other === undefined) continue;
    const ratio = seen[row.metric] / other[row.metric];
    out.push(row.ratio === "theirs/mine" ? 1 / ratio : ratio);
  }
  return out.length > 0 ? out : [median([Number.NaN])];
}

function verdictOf({ atLeast, atMost }, value) {
  if (atLeast === undefined && atMost === undefined) return "–";
  if (atLeast !== undefined ? value >= atLeast : value <= atMost) return "pass";
  return atMost === 1 && value <= LEVEL ? "level" : "below";
}
