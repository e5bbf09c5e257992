import type { Draft } from "./item.ts";

/** Puts `size` items into one, whose value is the array of theirs. An item that could not be read stays alone. */
export async function* group(
  batches: AsyncIterable<readonly Draft[]>,
  size: number,
  separator: string,
): AsyncGenerator<readonly Draft[]> {
  let begun: Draft[] = [];
  for await (const drafts of batches) {
    const groups: Draft[] = [];
    for (const draft of drafts) {
      if (draft.problem) {
        groups.push(draft);
        continue;
      }
      begun.push(draft);
      if (begun.length < size) continue;
      groups.push(joined(begun, separator));
      begun = [];
    }
    if (groups.length > 0) yield groups;
  }
  if (begun.length > 0) yield [joined(begun, separator)];
}

function joined(drafts: readonly Draft[], separator: string): Draft {
  const [first] = drafts as [Draft];
  const last = drafts.at(-1) ?? first;
  const pieces = drafts.flatMap((draft, at) => (at === 0 ? [draft.raw] : [separator, draft.raw]));
  return {
    value: drafts.map((draft) => draft.value),
    problem: undefined,
    raw: Buffer.concat(pieces.map((piece) => Buffer.from(piece as string))),
    bytes: drafts.reduce((sum, draft) => sum + draft.bytes, 0),
    file: first.file,
    line: first.line,
    lastLine: last.lastLine,
  };
}
