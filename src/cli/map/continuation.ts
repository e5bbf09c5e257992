// The command that goes on where a run ended.
import { quote } from "../command/quote.ts";
import type { Again } from "../input/index.ts";
import type { Item } from "../input/item.ts";
import type { MapSettings } from "./settings.ts";
import { givenName, type Subject, usualFormat } from "./subject.ts";

export interface RunEnd {
  readonly settings: MapSettings;
  readonly again: Again;
  /** The flags that another run has in common with this one, as words. */
  readonly flags: readonly string[];
  readonly failed: number;
  readonly unfinished: number;
  readonly lastRead: Item | undefined;
  readonly isReadToEnd: boolean;
}

/** Lines to say at the end; none when nothing is left to do. */
export function describeContinuation(end: RunEnd): readonly string[] {
  const { settings, failed, unfinished, isReadToEnd } = end;
  const left = failed + unfinished;
  if (left === 0 && isReadToEnd) return [];
  if (left > 0 && settings.failedFile === undefined) {
    const kept = isReadToEnd ? "" : `${whatIsUnread(end)}; `;
    return [`${kept}--failed FILE keeps the inputs of items that did not succeed, ready to be fed again`];
  }
  const kept = left > 0 ? [`inputs of items that did not succeed: ${settings.failedFile}`] : [];
  if (isReadToEnd) return [...kept, `again: ${command(end, [settings.failedFile ?? ""])}`];
  const rest = unreadCommands(end);
  if (!rest)
    return [...kept, whatIsUnread(end), ...(left > 0 ? [`again: ${command(end, [settings.failedFile ?? ""])}`] : [])];
  const [only] = rest;
  const all = left > 0 ? [`cat ${quote(settings.failedFile ?? "")}`, ...rest] : rest;
  const feed = all.length === 1 && only !== undefined ? only : `{ ${all.join("; ")}; }`;
  return [...kept, `go on: ${feed} | ${command(end, [])}`];
}

function command({ settings, again, flags }: RunEnd, files: readonly string[]): string {
  const { subject, failedFile, outputFile } = settings;
  const words = ["manyhands", "map", ...givenFirst(subject, files), ...flags];
  if (again.format !== usualFormat(subject.kind)) words.push("--in", again.format);
  if (failedFile !== undefined) words.push("--failed", nextName(failedFile));
  if (subject.kind === "command") words.push(...subject.template.given);
  // Not -o: that would empty the file of the results there are.
  return words.map(quote).join(" ") + (outputFile === undefined ? "" : ` >> ${quote(outputFile)}`);
}

/** What comes before the flags: a module takes the names of files, a command has them as flags. */
function givenFirst(subject: Subject, files: readonly string[]): readonly string[] {
  return subject.kind === "module" ? [givenName(subject), ...files] : files.flatMap((file) => ["-a", file]);
}

/** Shell commands that print what was not read; undefined where there are none for this input. */
function unreadCommands({ settings, lastRead, again }: RunEnd): readonly string[] | undefined {
  const { sources, values, format } = settings.input;
  if (values !== undefined || (format !== "ndjson" && format !== "lines") || again.format !== format) return undefined;
  if (sources.length === 0 || sources.some(({ name, size }) => size === undefined || name === "stdin"))
    return undefined;
  const at = lastRead === undefined ? -1 : sources.findIndex(({ name }) => name === lastRead.file);
  const later = sources.slice(at + 1).map(({ name }) => `cat ${quote(name)}`);
  return lastRead === undefined ? later : [`tail -n +${lastRead.lastLine + 1} ${quote(lastRead.file ?? "")}`, ...later];
}

function whatIsUnread({ lastRead }: RunEnd): string {
  if (lastRead === undefined) return "nothing was read";
  const place = lastRead.file === undefined ? `item ${lastRead.seq}` : `${lastRead.file} line ${lastRead.lastLine}`;
  return `what follows ${place} was not read`;
}

/** `failed.ndjson`, `failed-2.ndjson`, `failed-3.ndjson` … */
function nextName(path: string): string {
  const [, stem = path, number, extension = ""] = /^(.*?)(?:-(\d+))?(\.[^./]*)?$/s.exec(path) ?? [];
  return `${stem}-${number === undefined ? 2 : Number(number) + 1}${extension}`;
}
