// CommonJS: in a cluster worker that is an ES module poolifier misses its first message and never gets ready.
const { ClusterWorker } = require("poolifier");
const tasks = require("../tasks.mjs");

module.exports = new ClusterWorker(tasks[process.env.BENCH_TASK]);
