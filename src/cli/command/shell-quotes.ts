// Whether a place in a shell script lies in quotes. Knows quotes, escapes, comments and command substitutions; no here-documents.

/** @param before the script up to the place */
export function isQuotedAt(before: string): boolean {
  /** What is open, each as the sign that closes it. */
  const open: string[] = [];
  for (let at = 0; at < before.length; at++) {
    const sign = before[at]!;
    const inner = open.at(-1);
    if (inner === "'") {
      if (sign === "'") open.pop();
    } else if (sign === "\\") at++;
    else if (sign === inner) open.pop();
    else if (sign === '"' || sign === "`" || (sign === "'" && inner !== '"')) open.push(sign);
    else if (sign === "$" && before[at + 1] === "(") {
      open.push(")");
      at++;
    } else if (sign === "(" && inner === ")") open.push(")");
    else if (sign === "#" && inner !== '"' && /^$|[\s;(]/.test(before[at - 1] ?? "")) {
      const end = before.indexOf("\n", at);
      if (end < 0) return false;
      at = end;
    }
  }
  const inner = open.at(-1);
  return inner === "'" || inner === '"';
}
