// Programs of the system that the tests need beside Node. On Debian, for root, what is missing is installed; anywhere else it is said.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail, heading, run } from "./run.mjs";

/** Programs by the package of Debian that has them. */
const NEEDS = [
  { program: "sh", debian: "dash", for: "workers in POSIX shell" },
  { program: "python3", debian: "python3", for: "workers in Python" },
  {
    program: "the module msgpack of python3",
    debian: "python3-msgpack",
    for: "workers in Python that speak MessagePack",
    isThere: () =>
      ["python3", "/usr/bin/python3"].some((name) => spawnSync(name, ["-c", "import msgpack"]).status === 0),
  },
  { program: "ssh", debian: "openssh-client", for: "workers over ssh" },
  { program: "sshd", debian: "openssh-server", for: "workers over ssh" },
];

/** Ends the process with 1 where something is missing and cannot be installed. */
export function provide() {
  const isMissing = ({ program, isThere = () => find(program) !== undefined }) => !isThere();
  let missing = NEEDS.filter(isMissing);
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && find("apt-get") !== undefined) {
    const packages = [...new Set(missing.map(({ debian }) => debian))];
    heading(`installing ${packages.join(", ")} (apt-get)`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-q"], { env, quiet: true });
    run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env, quiet: true });
    missing = missing.filter(isMissing);
  }
  if (missing.length === 0) return;
  const lines = missing.map(({ program, debian, for: what }) => `  ${program}, for ${what} (on Debian: ${debian})`);
  fail(`Cannot run the tests: these programs are missing:\n${lines.join("\n")}`);
}

/** Where the program is; undefined where it is not. */
function find(program) {
  // Servers lie where PATH does not always lead.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
