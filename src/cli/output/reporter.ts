// Shows a run on standard error while it lasts, in one of five ways.
import type { ProgressView } from "../../observe/progress.ts";
import type { LineStyle } from "./progress-line.ts";
import { renderJson, renderPlain } from "./progress-text.ts";
import { Screen } from "./screen.ts";

export const PROGRESS_MODES = ["auto", "bar", "plain", "json", "none"] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

export interface Reporter {
  /** Is called often, and decides by itself when to show something. */
  tick(now: number, view: () => ProgressView): void;
  /** Whole lines, for the person. */
  print(text: string): void;
  /** Takes away what was drawn, for good. */
  end(now: number, view: () => ProgressView): void;
}

export interface Terminal {
  readonly isTTY: boolean;
  readonly columns: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
}

type Names = Pick<LineStyle, "name" | "worker" | "workers">;

const BAR_EVERY_MS = 100;
const JSON_EVERY_MS = 1000;
const PLAIN_EVERY_MS = 30_000;
const PLAIN_EVERY_SHARE = 0.1;

export async function openReporter(
  mode: ProgressMode,
  terminal: Terminal,
  style: Names,
  startedAt: number,
): Promise<Reporter> {
  switch (mode === "auto" ? automatic(terminal) : mode) {
    case "auto":
    case "bar":
      return await barReporter(terminal, style);
    case "json":
      return jsonReporter(terminal, startedAt);
    case "plain":
      return plainReporter(terminal, startedAt);
    case "none":
      return { tick: () => {}, print: terminal.write, end: () => {} };
  }
}

/** In place only where a person looks at a terminal that can. */
function automatic({ isTTY, environment }: Terminal): ProgressMode {
  return isTTY && environment["TERM"] !== "dumb" && !isSet(environment["CI"]) ? "bar" : "plain";
}

async function barReporter(terminal: Terminal, style: Names): Promise<Reporter> {
  // What knows the widths of letters takes longer to load than all the rest together.
  const { renderLines } = await import("./progress-line.ts");
  const screen = new Screen(terminal.write);
  const isColoured =
    terminal.isTTY && !isSet(terminal.environment["NO_COLOR"]) && terminal.environment["TERM"] !== "dumb";
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    tick: (now, view) => {
      if (now - drawnAt < BAR_EVERY_MS) return;
      drawnAt = now;
      // One column stays free: a full line would wrap on some terminals.
      screen.draw(renderLines(view(), { ...style, isColoured, columns: Math.max(20, terminal.columns() - 1) }));
    },
    print: (text) => screen.print(text),
    end: () => screen.clear(),
  };
}

/** A line every 30 s or every 10 %, whichever is rarer. */
function plainReporter(terminal: Terminal, startedAt: number): Reporter {
  let shownAt = startedAt;
  let shownShare = 0;
  return {
    tick: (now, view) => {
      if (now - shownAt < PLAIN_EVERY_MS) return;
      const current = view();
      if (current.share !== undefined && current.share - shownShare < PLAIN_EVERY_SHARE) return;
      shownAt = now;
      shownShare = current.share ?? 0;
      terminal.write(`${renderPlain(current)}\n`);
    },
    print: terminal.write,
    end: () => {},
  };
}

/** A line of JSON every second, and one at the end. */
function jsonReporter(terminal: Terminal, startedAt: number): Reporter {
  let shownAt = startedAt;
  return {
    tick: (now, view) => {
      if (now - shownAt < JSON_EVERY_MS) return;
      shownAt = now;
      terminal.write(`${renderJson(view())}\n`);
    },
    print: terminal.write,
    end: (_now, view) => terminal.write(`${renderJson(view())}\n`),
  };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}
