// Law 9: after close or terminate nothing is left, and an idle pool keeps no process alive. Each in a process of its own.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { program } from "../programs/program.ts";
import { closedGate, isAlive, it, needs, scratch, until } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function leaving(subject: Subject): void {
  const { traits } = subject;

  describe("law 9: nothing is left", () => {
    for (const how of ["close", "terminate"]) {
      it(`after ${how}: no child, no thread, no timer, no listener`, async (t) => {
        needs(subject, "countAtOnceForEver", "double", "hold", "spin");
        const { code, told, stderr } = await program(t, subject, "closes", how).ended;

        const [seen] = told as { failed: boolean; alive: number[]; before: unknown; after: unknown }[];
        assert.ok(seen, stderr);
        assert.deepEqual(seen.after, seen.before);
        assert.deepEqual(seen.alive, []);
        assert.equal(code, 0);
      });
    }

    if (traits.keepsAlive !== true) {
      it("a program that never closes its pool ends by itself", async (t) => {
        const { code, told, stderr } = await program(t, subject, "leaves-pool-open").ended;

        assert.deepEqual({ code, told }, { code: 0, told: [[2, 4, 6]] }, stderr);
      });

      it("a program that never uses its pool ends by itself", async (t) => {
        const { code, told, stderr } = await program(t, subject, "never-uses-pool").ended;

        assert.deepEqual({ code, told }, { code: 0, told: ["made"] }, stderr);
      });

      it("a pending task keeps its program alive", async (t) => {
        const { code, told, stderr } = await program(t, subject, "leaves-task-pending").ended;

        assert.deepEqual({ code, told }, { code: 0, told: [200] }, stderr);
      });
    }

    if (traits.isolates) {
      it("Ctrl-C ends a program that does not listen for it, workers and all", async (t) => {
        const running = program(t, subject, "runs-for-ever", "spin");
        const pids = (await running.next()) as (number | null)[];

        process.kill(-(running.child.pid as number), "SIGINT");

        assert.equal((await running.ended).signal, "SIGINT");
        await until(() => pids.every((pid) => pid === null || !isAlive(pid)), "the workers to be gone");
      });

      it("Ctrl-C leaves it to a program that listens to finish what runs", async (t) => {
        const gate = closedGate(scratch(t));
        const running = program(t, subject, "closes-on-sigint", gate.gate);
        assert.equal(await running.next(), "started");

        process.kill(-(running.child.pid as number), "SIGINT");
        // Long enough for a worker to fall to the signal, if it did.
        await new Promise((resolve) => setTimeout(resolve, 150));
        gate.open();

        const { code, told, stderr } = await running.ended;
        assert.deepEqual({ code, told: new Set(told) }, { code: 0, told: new Set(["closed", "finished"]) }, stderr);
      });
    }

    if (traits.ownProcess) {
      for (const [name, what] of [
        ["obey", "wait"],
        ["spin", "are in a busy loop"],
      ] as const) {
        it(`workers that ${what} die with a parent that gets SIGKILL`, async (t) => {
          needs(subject, name);
          const running = program(t, subject, "runs-for-ever", name);
          const pids = (await running.next()) as number[];
          assert.equal(pids.length, 2);

          running.child.kill("SIGKILL");

          await until(() => !pids.some(isAlive), "the workers to be gone");
        });
      }
    }
  });
}
