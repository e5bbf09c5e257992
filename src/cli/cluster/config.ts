// The config file of a cluster: what its flags would say each time, as JSON. Flags win over it.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { flag, type Rule, readOptions, text } from "../../protocol/options.ts";
import { messageOf, wrongUsage } from "../complaint.ts";

/** How TLS is spoken with servers of Gearman, as `tls.connect` of Node takes it. */
export interface Tls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
}

/** Each undefined where the file does not say it. */
export interface Config {
  readonly connect?: string | undefined;
  readonly namespace?: string | undefined;
  /** The path of a file. */
  readonly keys?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly tls?: Tls | undefined;
  readonly jobs?: string | undefined;
  readonly backend?: string | undefined;
}

const CERTIFICATES = ["ca", "cert", "key"] as const;

const jobs: Rule<string> = (value, refuse) =>
  typeof value === "string" || typeof value === "number" ? String(value) : refuse("a number, or a text as for -j");

const rules = {
  connect: text,
  namespace: text,
  keys: text,
  insecure: flag,
  tls: (value: unknown) => value,
  jobs,
  backend: text,
};
const tlsRules = { ca: text, cert: text, key: text, servername: text };

/**
 * Reads the file that `--config` names. Paths in it are relative to it.
 *
 * @throws Complaint that names the file, and the key that is wrong
 */
export async function readConfig(file: string): Promise<Config> {
  const named = `config "${file}"`;
  const folder = dirname(resolve(file));
  try {
    const { tls, keys, ...rest } = readOptions(named, JSON.parse(await readFile(file, "utf8")), rules);
    return {
      ...rest,
      keys: keys === undefined ? undefined : resolve(folder, keys),
      tls: tls === undefined ? undefined : await readTls(`"tls" of ${named}`, folder, tls),
    };
  } catch (cause) {
    const message = messageOf(cause);
    throw wrongUsage(message.startsWith("Cannot ") ? message : `Cannot read ${named}: ${message}`, { cause });
  }
}

async function readTls(named: string, folder: string, given: unknown): Promise<Tls> {
  if (given === true) return {};
  const { servername, ...files } = readOptions(named, given, tlsRules);
  const read = await Promise.all(
    CERTIFICATES.map(async (name) => {
      const file = files[name];
      return file === undefined ? [] : [[name, await readFile(resolve(folder, file))]];
    }),
  );
  return { ...Object.fromEntries(read.flat()), ...(servername === undefined ? {} : { servername }) } as Tls;
}
