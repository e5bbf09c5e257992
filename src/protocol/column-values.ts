// Messages in columns as plain values, for a format that is no text. What reads them is `column-text.ts`: they are the same lists.

import { lenient } from "./column-text.ts";
import { CHUNK_ITEMS, FAILED, RUN, type WorkerEvent, type WorkerReply, type WorkerRequest } from "./messages.ts";
import { type MaybePacked, unpack } from "./packing.ts";

/** @param check throws for a value that the format has not */
export function requestValues(request: WorkerRequest, check: (value: unknown) => void): unknown {
  if (request[0] !== RUN) return request;
  const [kind, names, tickets, ids, inputs, extras] = request;
  const list = listOf(unpack(inputs), (value, at) => {
    const extra = extras === 0 ? 0 : extras[at]!;
    if (extra !== 0 && extra.isChunk === true) return checked(value as MaybePacked, check);
    if (value !== undefined) check(value);
    return value;
  });
  return [kind, names, tickets, ids, list, extras];
}

/** @param check throws for a value that the format has not */
export function replyValues([tickets, micros, values, events]: WorkerReply, check: (value: unknown) => void): unknown {
  const said = events === 0 ? 0 : events.map((event) => eventValue(event, check));
  return [tickets, micros, checked(values, check), said];
}

function eventValue(event: WorkerEvent, check: (value: unknown) => void): unknown {
  if (event[0] === CHUNK_ITEMS) {
    const [kind, ticket, first, values, micros] = event;
    return [kind, ticket, first, checked(values, check), micros];
  }
  // What an error holds beside its words may have no form, and is not what matters about it.
  if (event[0] === FAILED) return JSON.parse(JSON.stringify(event, lenient)) as unknown;
  check(event);
  return event;
}

function checked(packed: MaybePacked, check: (value: unknown) => void): unknown {
  return listOf(unpack(packed), (value) => {
    if (value !== undefined) check(value);
    return value;
  });
}

/** A list in which something is undefined goes as `{list, missing}`. */
function listOf(values: ArrayLike<unknown>, toValue: (value: unknown, at: number) => unknown): unknown {
  const list: unknown[] = [];
  const missing: number[] = [];
  for (let at = 0; at < values.length; at++) {
    const value = toValue(values[at], at);
    if (value === undefined) missing.push(at);
    list.push(value ?? null);
  }
  return missing.length === 0 ? list : { list, missing };
}
