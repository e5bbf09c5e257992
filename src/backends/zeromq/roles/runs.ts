// Lists of numbers that are mostly consecutive, as runs: [first, count, first, count, …].
import { ProtocolError } from "../../../protocol/errors.ts";

/** More in one message means that it is not to be trusted. */
const MAX_NUMBERS = 1_000_000;

export function toRuns(numbers: readonly number[]): number[] {
  const runs: number[] = [];
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at]!;
    let count = 1;
    while (at + count < numbers.length && numbers[at + count] === first + count) count += 1;
    runs.push(first, count);
    at += count;
  }
  return runs;
}

/** @throws ProtocolError where the list is odd, or means more numbers than a message may */
export function fromRuns(runs: readonly number[]): number[] {
  if (runs.length % 2 !== 0) throw new ProtocolError("Cannot read runs: a count is missing");
  const numbers: number[] = [];
  for (let at = 0; at < runs.length; at += 2) {
    const first = runs[at]!;
    const count = runs[at + 1]!;
    if (numbers.length + count > MAX_NUMBERS || first + count > Number.MAX_SAFE_INTEGER) {
      throw new ProtocolError(`Cannot read runs: more than ${MAX_NUMBERS} numbers`);
    }
    for (let next = 0; next < count; next++) numbers.push(first + next);
  }
  return numbers;
}
