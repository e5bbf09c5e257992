/** A word as a POSIX shell reads it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./#-]+$/.test(word) && !word.startsWith("#") ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Text, or bytes that are not UTF-8: what names of files are made of. */
export type Text = string | Buffer;

/** Changes a text; bytes one by one, as if each were a character. */
export function changed(text: Text, change: (text: string) => string): Text {
  return typeof text === "string" ? change(text) : Buffer.from(change(text.toString("latin1")), "latin1");
}
