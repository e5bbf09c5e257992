// jest-worker looks its module up at every call; a CommonJS one is found faster.
module.exports = { ...require("../tasks.mjs") };
