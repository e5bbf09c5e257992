// Programs on other machines: what ssh is given, so that they get their words unharmed and end when they are to.
//
// The far login shell may be any. Its line holds no signs but those that every shell leaves alone in single quotes: a constant script
// for a POSIX shell, and words in which all but plain characters are octal escapes. The script makes the words of them again.

/** How ssh is started where nobody says it: it asks for nothing, and notices within a minute that the other side is gone. */
export const SSH: readonly string[] = [
  "ssh",
  "-T",
  "-o",
  "BatchMode=yes",
  "-o",
  "ServerAliveInterval=15",
  "-o",
  "ServerAliveCountMax=3",
];

export interface SshOptions {
  /** The command of ssh and its options; default: `ssh`, which asks for nothing and notices within a minute that the other side is gone. */
  readonly ssh?: readonly string[];
  /** Where the program runs, if the far side has such a folder; else, and by default, in the user's home. */
  readonly cwd?: string;
  /** Variables beside those of the far side. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The argument list that starts a program on another machine by ssh, with its arguments unharmed: for `command()`.
 *
 *     command(ssh("user@one", ["python3", "my worker.py"], { cwd: "/srv/work" }))
 *
 * @param host `[user@]host`, or a name of the configuration of ssh
 */
export function ssh(host: string, argv: readonly string[], options: SshOptions = {}): readonly string[] {
  const { ssh: client, cwd, env } = options;
  return argvOf({ host, words: argv, cwd, env, ...(client === undefined ? {} : { ssh: client }) }, 'exec "$@"');
}

export interface FarProgram {
  /** The command of ssh and its options, default `SSH`. */
  readonly ssh?: readonly string[];
  /** `[user@]host`, or a name of the configuration of ssh. */
  readonly host: string;
  /** The program and its arguments, text or bytes. */
  readonly words: readonly (string | Uint8Array)[];
  /** Where it runs, if the far side has such a folder; else, and by default, in the user's home. */
  readonly cwd?: string | undefined;
  /** Variables beside those of the far side. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/**
 * The argument list of ssh for a program whose standard input is empty. What ssh itself reads are orders: a line asks everything in
 * the far group to end (SIGTERM), and the end of its input kills that. What a program that ends by itself leaves behind is left alone.
 */
export function guardedFarArgv(program: FarProgram): readonly string[] {
  return argvOf(program, GUARDED);
}

/** The last line on standard error of a program that exits with 255 itself; ssh does so where it fails. */
export const OWN_255 = "manyhands: this is the exit status of the program itself: 255\n";

// What a shell starts in the background reads /dev/null, unless it is told otherwise: so the guard has the orders by another descriptor.
// Within parentheses and by exec: otherwise a word such as `echo` or `exit` would be the shell's own.
// Whoever ends the guard says nothing of it: some shells would tell on standard error that it was killed.
const GUARDED = [
  "exec 9<&0",
  "trap : TERM",
  '(trap "" TERM; read -r _ && kill -s TERM 0; read -r _; kill -s KILL 0) <&9 9<&- >/dev/null 2>&1 & guard=$!',
  '(exec "$@") </dev/null 9<&-; status=$?',
  `[ $status = 255 ] && echo ${quoted(OWN_255.trimEnd())} >&2`,
  "exec 2>/dev/null; kill -s KILL $guard; exit $status",
].join("\n");

/** The first word is a script, which finds the others as its arguments. No single quote, exclamation mark or backslash in here. */
const DECODER =
  'n=$#; while [ $n -gt 0 ]; do case $1 in +*) w=$(printf %bx "${1#?}");; *) w=${1#?}x;; esac; ' +
  'shift; set -- "$@" "${w%x}"; n=$((n-1)); done; script=$1; shift; eval "$script"';

function argvOf({ ssh = SSH, host, words, cwd, env = {} }: FarProgram, script: string): readonly string[] {
  const start = cwd === undefined ? script : `cd ${quoted(cwd)} >/dev/null 2>&1\n${script}`;
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const all = [start, ...(assignments.length === 0 ? [] : ["env", ...assignments]), ...words];
  return [...ssh, "--", host, `exec /bin/sh -c '${DECODER}' sh ${all.map((word) => `'${encoded(word)}'`).join(" ")}`];
}

/** `-` and the word where it is plain, else `+` and the word for `printf %b`, which keeps bytes that are no text. */
function encoded(word: string | Uint8Array): string {
  const bytes = Buffer.from(word as string);
  const text = bytes.toString("latin1");
  if (/^[\w@%=:,./-]*$/.test(text)) return `-${text}`;
  return `+${text.replaceAll(/[^\w@%=:,./-]/g, (sign) => `\\0${sign.charCodeAt(0).toString(8).padStart(3, "0")}`)}`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
