import { type Draft, toDraft } from "./item.ts";

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
  const values = drafts.map((draft) => draft.value);
  const raw = joinedRaw(drafts, separator);
  const bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0);
  const draft = toDraft(values, undefined, raw, bytes, first.file, first.line, drafts.at(-1)?.lastLine);
  return { ...draft, isGroup: true };
}

/** Text, unless some of it is not UTF-8. */
function joinedRaw(drafts: readonly Draft[], separator: string): string | Uint8Array {
  if (drafts.every(({ raw }) => typeof raw === "string")) return drafts.map(({ raw }) => raw).join(separator);
  const pieces = drafts.flatMap(({ raw }, at) => [at === 0 ? "" : separator, raw]);
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}
