// A reporter of `node --test`: the tests that failed, and why. The whole run prints them once more at its end, where they are looked for.
import { relative } from "node:path";
import { inspect } from "node:util";
import { root } from "./run.mjs";

export default async function* failures(events) {
  for await (const { type, data } of events) {
    if (type !== "test:fail") continue;
    const { error } = data.details;
    // A suite fails with its tests, which have been told of.
    if (error.failureType === "subtestsFailed") continue;
    const where = data.file === undefined ? "" : `${relative(root, data.file)}:${data.line}: `;
    yield `${where}${data.name}\n${indented(inspect(error.cause ?? error))}\n\n`;
  }
}

function indented(text) {
  return text.replaceAll(/^/gm, "    ");
}
