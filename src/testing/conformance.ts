// The one suite that every backend runs.

import { describe } from "node:test";
import { attempts } from "./cases/attempts.ts";
import { broadcasts } from "./cases/broadcasts.ts";
import { ending } from "./cases/ending.ts";
import { errors } from "./cases/errors.ts";
import { faults } from "./cases/faults.ts";
import { isolation } from "./cases/isolation.ts";
import { leaving } from "./cases/leaving.ts";
import { loading } from "./cases/loading.ts";
import { loss } from "./cases/loss.ts";
import { maps } from "./cases/maps.ts";
import { memory } from "./cases/memory.ts";
import { noCode } from "./cases/no-code.ts";
import { order } from "./cases/order.ts";
import { settling } from "./cases/settling.ts";
import { stopping } from "./cases/stopping.ts";
import { streams } from "./cases/streams.ts";
import { telling } from "./cases/telling.ts";
import { values } from "./cases/values.ts";
import { workers } from "./cases/workers.ts";
import type { Subject } from "./subject.ts";

const parts = [
  settling,
  order,
  attempts,
  loss,
  isolation,
  maps,
  memory,
  noCode,
  ending,
  leaving,
  stopping,
  values,
  errors,
  streams,
  broadcasts,
  telling,
  workers,
  loading,
  faults,
];

/**
 * Registers the conformance tests of a backend with `node:test`. Call it at the top of a test file, once a subject.
 *
 * What the subject's traits exempt is not registered; where another behaviour takes its place, that test's name says why.
 */
export function conformance(subject: Subject): void {
  describe(`conformance of ${subject.name}`, () => {
    for (const part of parts) part(subject);
  });
}
