import type { Terminal } from "./reporter.ts";

const USUAL_COLUMNS = 80;

/** Standard error, where everything goes that is for a person. */
export function standardError(): Terminal {
  const { stderr } = process;
  // Nobody may be listening any more; that is no reason to fail.
  stderr.on("error", () => {});
  return {
    isTTY: stderr.isTTY === true,
    columns: () => stderr.columns ?? USUAL_COLUMNS,
    environment: process.env,
    write: (text) => void stderr.write(text),
  };
}

/** Where standard error is read slowly: resolves when it has room for more. */
export function roomOnStandardError(): Promise<void> | undefined {
  const { stderr } = process;
  if (!stderr.writableNeedDrain || stderr.destroyed) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      stderr.off("drain", done).off("error", done).off("close", done);
      resolve();
    };
    stderr.on("drain", done).on("error", done).on("close", done);
  });
}

/** Resolves when standard error has taken what was given to it. */
export async function flushStandardError(): Promise<void> {
  const { stderr } = process;
  if (stderr.writableLength === 0 || stderr.destroyed) return;
  await new Promise<void>((resolve) => {
    stderr.once("error", () => resolve());
    stderr.write("", () => resolve());
  });
}
