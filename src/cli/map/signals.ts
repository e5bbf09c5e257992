// Three stages: the first signal drains, the second kills, the third leaves at once.
import { type Ending, EXIT_CODES } from "../exit-codes.ts";
import type { Stop } from "./stop.ts";

type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";

const SIGNALS: Readonly<Record<Signal, Ending>> = { SIGINT: "sigint", SIGTERM: "sigterm", SIGHUP: "sighup" };

/** @returns what stops listening */
export function listenForSignals(stop: Stop, graceMs: number, onFirst: (signal: Signal) => void): () => void {
  let count = 0;
  const listeners = (Object.keys(SIGNALS) as Signal[]).map((signal) => {
    const listener = () => {
      count++;
      if (count === 1) {
        onFirst(signal);
        stop.drain(SIGNALS[signal], graceMs);
      } else if (count === 2) {
        stop.kill(SIGNALS[signal]);
      } else {
        process.exit(EXIT_CODES[SIGNALS[signal]].code);
      }
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}
