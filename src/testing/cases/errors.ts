// What is thrown arrives as it was, whatever was thrown.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { throwable } from "../specimens.ts";
import { assertIs, it, nextEvent, openPool, rejection, rejectionOf, sharedPool } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function errors(subject: Subject): void {
  const { traits } = subject;

  describe("what a task throws arrives as it was", () => {
    const shared = sharedPool(subject);

    const same = ["null", "undefined", "a string", "an empty string", "a number", "a plain object", "a frozen object"];
    it("values that are no errors", async () => {
      const pool = shared();

      // Nothing is something to throw in JavaScript alone.
      for (const name of same.filter((one) => one !== "undefined" || traits.runsJavaScript !== false)) {
        assert.deepEqual(await rejection(pool.run("fail", name)), throwable[name]?.(), name);
        assert.equal(await pool.run("echo", name), name);
      }
    });

    it("the built-in error classes", async () => {
      const pool = shared();
      const classes = { Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError };

      for (const [name, kind] of Object.entries(classes)) {
        const article = /^[AE]/.test(name) ? "an" : "a";
        const error = await rejectionOf(
          kind,
          pool.run("fail", name === "URIError" ? "a URIError" : `${article} ${name}`),
        );
        const original = throwable[name === "URIError" ? "a URIError" : `${article} ${name}`]?.() as Error;
        assert.deepEqual(
          { name: error.name, message: error.message },
          { name: original.name, message: original.message },
        );
        assert.equal(Object.getPrototypeOf(error), kind.prototype);
      }
    });

    it("name, message, own properties and causes of a class of the user's own", async () => {
      const pool = shared();

      const error = await rejectionOf(
        // The class under a class is JavaScript's own business.
        traits.runsJavaScript === false ? Error : TypeError,
        pool.run("fail", "an error class with a code, properties and a cause"),
      );

      const { name, message, code, extra } = error as unknown as Record<string, unknown>;
      assert.deepEqual(
        { name, message, code, extra },
        { name: "BrokenTask", message: "broke", code: "E_BROKEN", extra: { list: [1, 2], when: "now" } },
      );
      assertIs(RangeError, error.cause);
      assert.deepEqual(
        { message: error.cause.message, cause: error.cause.cause },
        { message: "too far", cause: "the root" },
      );
    });

    it("the parts of an AggregateError", async () => {
      const pool = shared();

      const error = await rejectionOf(AggregateError, pool.run("fail", "an AggregateError"));

      assert.equal(error.message, "several");
      const [one, two, three] = error.errors as [Error, string, Error & { code: string }];
      assertIs(TypeError, one);
      assert.equal(one.message, "one");
      assert.equal(two, "two");
      assertIs(traits.runsJavaScript === false ? Error : TypeError, three);
      assert.deepEqual([three.name, three.code], ["BrokenTask", "E_BROKEN"]);
    });

    it("an error that is its own cause", async () => {
      const pool = shared();

      const error = await rejectionOf(Error, pool.run("fail", "an error that is its own cause"));

      assert.equal(error.message, "loop");
      assert.ok(error.cause !== undefined);
    });

    it("the code, errno and path of a system error", async () => {
      const pool = shared();

      const error = (await rejectionOf(Error, pool.run("failToRead", "/nowhere/at-all"))) as NodeJS.ErrnoException;

      assert.deepEqual(
        { code: error.code, syscall: error.syscall, path: error.path },
        { code: "ENOENT", syscall: "open", path: "/nowhere/at-all" },
      );
      assert.equal(typeof error.errno, "number");
    });

    it("a DOMException by name and message", async () => {
      const pool = shared();

      const error = await rejectionOf(Error, pool.run("fail", "a DOMException"));

      assert.deepEqual({ name: error.name, message: error.message }, { name: "AbortError", message: "stopped" });
    });

    it("with the worker's stack to be seen", async () => {
      const pool = shared();

      const error = await rejectionOf(RangeError, pool.run("failIfOdd", 1));

      assert.match(error.stack ?? "", /RangeError: 1 is odd/);
      assert.match(error.stack ?? "", traits.runsJavaScript === false ? /./ : /failIfOdd .*tasks\.[jt]s/);
    });

    it("a late failure as well as an early one", async () => {
      const pool = shared();

      assert.equal((await rejectionOf(Error, pool.run("failLater", "late"))).message, "late");
    });

    it("what holds something that cannot be cloned, without it", async () => {
      const pool = shared();

      for (const name of ["an error that holds a function", "an error that holds a symbol"]) {
        const error = await rejectionOf(Error, pool.run("fail", name));
        assert.deepEqual([error.message, (error as { code?: string }).code], ["holder", "E_HOLDER"], name);
      }
    });

    it("a hostile thing as something that says what it was, and the worker lives on", async () => {
      const pool = shared();
      const { workerId } = await pool.run("whoami", undefined);

      for (const name of [
        "an error whose message throws",
        "a Proxy",
        "a hostile Proxy",
        "a revoked Proxy",
        "a function",
        "a symbol",
      ]) {
        await rejection(pool.run("fail", name));
        assert.equal((await pool.run("whoami", undefined)).workerId, workerId, name);
      }
      assert.equal(
        (await rejectionOf(Error, pool.run("fail", "an error whose stack throws"))).message,
        "no stack for you",
      );
      assert.equal((await rejectionOf(Error, pool.run("fail", "a frozen error"))).message, "frozen");
    });

    it("a stack that overflowed as a RangeError", async () => {
      const pool = shared();

      await rejectionOf(RangeError, pool.run("overflow", 0));

      assert.equal(await pool.run("echo", "next"), "next");
    });
  });

  if (!traits.isolates || traits.runsJavaScript === false) return;
  describe("an error that nobody awaits stays with its task", () => {
    for (const [name, what] of [
      ["rejectUnheard", "rejected unheard"],
      ["throwUnheard", "thrown unheard"],
    ] as const) {
      it(`fails the task that runs: ${what}`, async (t) => {
        const pool = openPool(t, subject, { size: 1 });

        // The gate is nowhere: were the error not the task's own, it would return.
        const error = await rejectionOf(Error, pool.run(name, { gate: `${import.meta.dirname}/never` }));

        assert.equal(error.message, what);
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }

    for (const [name, what] of [
      ["throwAfterReturn", "a stray throw"],
      ["rejectAfterReturn", "a stray rejection"],
    ] as const) {
      it(`is told of a task that has ended, and harms no other: ${what}`, async (t) => {
        const pool = openPool(t, subject, { size: 1 });
        const strays: unknown[] = [];
        pool.on("stray", ({ error }) => void strays.push(error));
        const told = nextEvent(pool, "stray");

        assert.equal(await pool.run(name, undefined as never), "returned");
        const next = [];
        for (let n = 0; n < 20; n += 1) next.push(await pool.run("echo", n));
        await told;

        assert.deepEqual(next, [...next.keys()]);
        assert.deepEqual(
          strays.map((error) => (error as Error).message),
          [what],
        );
      });
    }
  });
}
