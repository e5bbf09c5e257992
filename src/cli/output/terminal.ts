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

/** Resolves when standard error has taken what was given to it. */
export async function flushStandardError(): Promise<void> {
  const { stderr } = process;
  if (stderr.writableLength === 0 || stderr.destroyed) return;
  await new Promise<void>((resolve) => {
    stderr.once("error", () => resolve());
    stderr.write("", () => resolve());
  });
}
