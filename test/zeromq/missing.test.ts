// Where the package `zeromq` is not installed: the built package, copied to where it finds no other.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { it, scratch } from "../../src/testing/stage.ts";

describe("without the package zeromq", () => {
  it("manyhands/zeromq can be imported, and says what to install when it is used", (t) => {
    const folder = scratch(t);
    cpSync(fileURLToPath(new URL("../../dist", import.meta.url)), join(folder, "dist"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    // What a folder further up may have is not to be found either.
    mkdirSync(join(folder, "node_modules/zeromq"), { recursive: true });
    const program = `
      import { Ventilator } from ${JSON.stringify(pathToFileURL(join(folder, "dist/backends/zeromq/index.js")).href)};
      const ventilator = new Ventilator({ requests: "tcp://127.0.0.1:5555" });
      await ventilator.send([1]).catch(({ name, message }) => console.log(name + ": " + message));
      await ventilator.terminate();
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      cwd: folder,
    });
    assert.equal(stderr, "");
    assert.equal(
      stdout,
      'BackendUnavailableError: Cannot use the package "zeromq": it is not installed: run "npm install zeromq"\n',
    );
  });
});
