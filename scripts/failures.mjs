// A reporter of `node --test`: the tests that failed, and why. The whole run prints them once more at its end, where they are looked for.
import { relative } from "node:path";
import { inspect } from "node:util";
import { root } from "./run.mjs";

export default async function* failures(events) {
  // The test that is told of, below the suites around it.
  const path = [];
  for await (const { type, data } of events) {
    if (type === "test:start") path.splice(data.nesting, path.length, data.name);
    if (type !== "test:fail") continue;
    const { error } = data.details;
    // A suite fails with its tests, which have been told of.
    if (error.failureType === "subtestsFailed") continue;
    const where = data.file === undefined ? "" : `${relative(root, data.file)}:${data.line}: `;
    yield `${where}${[...path.slice(0, data.nesting), data.name].join(" › ")}\n${indented(inspect(error.cause ?? error))}\n\n`;
  }
}

function indented(text) {
  return text.replaceAll(/^/gm, "    ");
}
