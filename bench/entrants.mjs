// Who takes part: a pool and its options, under the name the tables show. Where an option of a peer can make it faster,
// the peer enters more than once, and the best entry of all counts.

const notPeers = ["manyhands", "raw", "ideal", "loop", "commands", "python-pool"];
const entrant = (peer, options = {}, suffix = "") => ({
  name: peer + suffix,
  peer,
  options,
  isPeer: !notPeers.includes(peer),
});

export const manyhands = entrant("manyhands");
export const raw = entrant("raw", {}, " postMessage");
export const ideal = entrant("ideal");
export const loop = entrant("loop");

const eachWorker = (peer, count) => entrant(peer, { eachWorker: count }, `, ${count} a worker`);
const poolifierQueue = (count) => entrant("poolifier", { queue: count }, `, queue, ${count} a worker`);

/** Every peer in its plain configuration. */
export const plainThreads = ["piscina", "tinypool", "workerpool", "poolifier", "jest-worker"].map((peer) =>
  entrant(peer),
);

/** Every peer, and those that can send ahead also doing so. */
export const tunedThreads = [
  ...plainThreads,
  eachWorker("piscina", 8),
  eachWorker("piscina", 64),
  eachWorker("tinypool", 8),
  eachWorker("tinypool", 64),
  poolifierQueue(1),
  poolifierQueue(8),
  poolifierQueue(64),
];

/** Those that can move memory to a thread. */
export const movingThreads = plainThreads.filter(({ peer }) => peer !== "jest-worker");

export const tunedProcesses = [
  ...plainThreads.filter(({ peer }) => peer !== "piscina"),
  eachWorker("tinypool", 8),
  eachWorker("tinypool", 64),
  poolifierQueue(64),
].map(({ name, peer, options }) => entrant(peer, { ...options, kind: "processes" }, name.slice(peer.length)));

export const manyhandsProcesses = entrant("manyhands", { kind: "processes" });

/** Who runs a program for each line of input. */
export const commands = ["manyhands", "xargs", "parallel", "node"].map((way) => ({
  ...entrant("commands", { way }),
  name: way === "node" ? "plain Node" : way,
}));

export const manyhandsPython = entrant("manyhands", { kind: "python" });
export const pythonPool = { ...entrant("python-pool"), name: "Pool.imap of Python" };
export const manyhandsNode = entrant("manyhands", { kind: "node" });
export const jestProcesses = entrant("jest-worker", { kind: "processes" });
