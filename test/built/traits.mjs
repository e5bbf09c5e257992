// What the three local backends can do. The same as test/fixtures/subjects, for a Node that reads no TypeScript.

const isolated = {
  isolates: true,
  canKill: true,
  losesWorkers: true,
  capturesOutput: true,
  limitsMemory: true,
  recycles: true,
};
const alike = { clonesStructurally: true, startsWorkers: true };

export const traits = {
  inline: {
    ...alike,
    isolates: false,
    canKill: false,
    losesWorkers: false,
    capturesOutput: false,
    limitsMemory: false,
    recycles: true,
    ownProcess: false,
    sharesMemory: false,
    transfers: false,
  },
  threads: { ...alike, ...isolated, ownProcess: false, sharesMemory: true, transfers: true },
  processes: { ...alike, ...isolated, ownProcess: true, sharesMemory: false, transfers: false },
};
