// What a value becomes on its way to a task and back.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { NotSerializableError } from "../../index.ts";
import { cloneable, plain, uncloneable } from "../specimens.ts";
import { closedGate, it, openPool, range, rejectionOf, scratch, sharedPool, started, until } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function values(subject: Subject): void {
  const { traits } = subject;
  const kept = Object.keys(cloneable).filter(
    (name) => traits.clonesStructurally || plain.has(name) || traits.keeps?.includes(name) === true,
  );

  describe("values arrive as they were", () => {
    const shared = sharedPool(subject);

    it(
      traits.clonesStructurally
        ? "there and back, of every kind"
        : "there and back, of the kinds that its format has: this backend clones no others",
      async () => {
        const pool = shared();
        for (const name of kept) {
          const value = cloneable[name]?.();
          assert.deepEqual(await pool.run("echo", value), value, `${name}, there and back`);
          assert.deepEqual(await pool.run("give", name), value, `${name}, made by the worker`);
        }
      },
    );

    it("of every kind in one message", async () => {
      const pool = shared();
      const originals = kept.map((name) => cloneable[name]?.());

      assert.deepEqual(await Promise.all(originals.map((value) => pool.run("echo", value))), originals);
      assert.deepEqual(await pool.map("echo", originals, { chunkSize: 50 }), originals);
    });

    if (traits.clonesStructurally) {
      it("with their cycles and shared parts", async () => {
        const pool = shared();
        const part = { s: 1 };
        const loop: Record<string, unknown> = { a: part, b: part };
        loop["self"] = loop;

        const back = (await pool.run("echo", loop)) as Record<string, unknown>;

        assert.equal(back["self"], back);
        assert.equal(back["a"], back["b"]);
        assert.deepEqual(back["a"], { s: 1 });
      });

      it("an invalid Date as an invalid Date", async () => {
        const back = (await shared().run("echo", new Date(Number.NaN))) as Date;

        assert.ok(back instanceof Date && Number.isNaN(back.getTime()));
      });

      it("as plain objects where they had a class of their own", async () => {
        class Point {
          x = 1;
          get double(): number {
            return this.x * 2;
          }
        }
        const pool = shared();

        assert.deepEqual(await pool.run("echo", new Point()), { x: 1 });
      });

      it("a piece of a pooled Buffer as those bytes alone", async () => {
        const pool = shared();

        const back = (await pool.run("echo", Buffer.from("abc"))) as Uint8Array;

        assert.ok(back instanceof Uint8Array);
        assert.deepEqual([...back], [97, 98, 99]);
        assert.equal(back.byteLength, 3);
      });
    }

    it("a key named __proto__ pollutes nobody", async () => {
      const pool = shared();

      const back = await pool.run("echo", JSON.parse('{"__proto__":{"polluted":true},"a":1}'));

      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
      assert.equal((back as { a: number }).a, 1);
      assert.equal(Object.getPrototypeOf(back), Object.prototype);
    });

    it("nested a thousand deep", async () => {
      const pool = shared();
      let deep: unknown = "bottom";
      for (const _ of range(1_000)) deep = [deep];

      let back = await pool.run("echo", deep);

      for (const _ of range(1_000)) back = (back as unknown[])[0];
      assert.equal(back, "bottom");
    });

    it("a text of 8 million letters", async () => {
      const pool = shared();

      assert.equal((await pool.run("text", 8_000_000)).length, 8_000_000);
      assert.equal((await pool.run("echo", "ü".repeat(1_000_000))) as string, "ü".repeat(1_000_000));
    });

    if (traits.clonesStructurally) {
      it("64 MB of bytes", async () => {
        const pool = shared();

        const back = await pool.run("bytes", 64_000_000);

        assert.equal(back.byteLength, 64_000_000);
        assert.deepEqual([back[0], back[63_999_999]], [7, 7]);
      });
    }

    it("the result of a function that is not async but gives a promise", async () => {
      assert.equal(await shared().run("promised", 1), 2);
    });

    it("nothing, where nothing is given or returned", async () => {
      const pool = shared();

      assert.equal(await pool.run("echo", undefined), undefined);
    });

    it("a value that cannot be cloned is refused on both ways, and the next task runs", async () => {
      const pool = shared();

      for (const name of [
        "a function",
        "a symbol",
        "a WeakMap",
        "an object with a function deep inside",
        "a Map with a function",
        "a getter that throws",
      ]) {
        await rejectionOf(NotSerializableError, pool.run("echo", uncloneable[name]?.()));
        await rejectionOf(NotSerializableError, pool.run("give", name));
      }

      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("an input whose buffer is gone is refused", async () => {
      const pool = shared();

      const error = await rejectionOf(NotSerializableError, pool.run("echo", uncloneable["a detached buffer"]?.()));

      assert.equal(error.code, "ERR_NOT_SERIALIZABLE");
      assert.equal(await pool.run("echo", "next"), "next");
    });
  });

  describe("transfer and sharing", () => {
    const shared = sharedPool(subject);

    it(traits.transfers ? "transfer moves a buffer" : "transfer copies: this backend cannot move memory", async () => {
      const pool = shared();
      const buffer = new Uint8Array([1, 2, 3]).buffer;

      const sending = pool.run("echo", buffer, { transfer: [buffer] });

      if (traits.clonesStructurally) assert.deepEqual([...new Uint8Array((await sending) as ArrayBuffer)], [1, 2, 3]);
      else await rejectionOf(NotSerializableError, sending);
      assert.equal(buffer.byteLength, traits.transfers ? 0 : 3);
    });

    if (traits.transfers) {
      it("a buffer transferred twice is refused, and loses no place", async () => {
        const pool = shared();
        const buffer = new ArrayBuffer(8);

        await rejectionOf(NotSerializableError, pool.run("echo", buffer, { transfer: [buffer, buffer] }));
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a transfer of the memory that small Buffers share takes it from nobody", async () => {
        const pool = shared();
        const small = Buffer.from("small");

        // Newer Nodes refuse it, older ones copy.
        await Promise.allSettled([pool.run("echo", "sent", { transfer: [small.buffer as ArrayBuffer] })]);

        assert.equal(small.toString(), "small");
        assert.equal(Buffer.from("another").toString(), "another");
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a transferred buffer that waits behind a long task arrives whole", async (t) => {
        const pool = openPool(t, subject);
        // Short tasks first, so that the pool has reason to send ahead.
        await Promise.all(range(100).map((n) => pool.run("echo", n)));
        const gate = closedGate(scratch(t));
        const held = pool.run("hold", gate);
        const buffers = range(5).map((n) => new Uint8Array([n]).buffer);
        const back = Promise.all(buffers.map((buffer) => pool.run("echo", buffer, { transfer: [buffer] })));
        await Promise.race([started(held), back]);

        await until(() => pool.workers()[0]?.sentAhead === 0, "what waits to be taken back");
        gate.open();

        assert.deepEqual(
          (await back).map((buffer) => new Uint8Array(buffer as ArrayBuffer)[0]),
          range(5),
        );
        await held;
      });

      it("a transferred buffer beside many tasks of the same tick", async () => {
        const pool = shared();
        const buffers = range(20).map((n) => new Uint8Array([n]).buffer);

        const back = await Promise.all(buffers.map((buffer) => pool.run("echo", buffer, { transfer: [buffer] })));

        assert.deepEqual(
          back.map((buffer) => new Uint8Array(buffer as ArrayBuffer)[0]),
          range(20),
        );
      });
    }

    if (traits.sharesMemory) {
      it("a SharedArrayBuffer is the same memory there and here", async (t) => {
        const pool = openPool(t, subject, { size: 2 });
        const counter = new Int32Array(new SharedArrayBuffer(4));

        await Promise.all(range(50).map(() => pool.run("addToShared", counter)));

        assert.equal(counter[0], 50);
        assert.ok((await pool.run("giveShared", undefined as never)) instanceof SharedArrayBuffer);
      });

      it("a MessagePort moves to the task", async () => {
        const pool = shared();
        const { port1, port2 } = new MessageChannel();
        const message = new Promise((resolve) => port1.once("message", resolve));

        assert.equal(await pool.run("answerOnPort", port2, { transfer: [port2] }), "sent");

        assert.equal(await message, "through the port");
        port1.close();
      });
    } else {
      it("a SharedArrayBuffer is refused: this backend shares no memory", async () => {
        const pool = shared();

        await rejectionOf(NotSerializableError, pool.run("echo", new Int32Array(new SharedArrayBuffer(4))));
        if (traits.runsJavaScript !== false)
          await rejectionOf(NotSerializableError, pool.run("giveShared", undefined as never));
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a MessagePort is refused: this backend has no ports", async (t) => {
        const pool = shared();
        const { port1, port2 } = new MessageChannel();
        t.after(() => {
          port1.close();
          port2.close();
        });

        await rejectionOf(NotSerializableError, pool.run("answerOnPort", port2, { transfer: [port2] }));
      });
    }
  });
}
