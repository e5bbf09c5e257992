// Programs of the system that the tests need beside Node. On Debian, for root, what is missing is installed; anywhere else it is said.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail, heading, run } from "./run.mjs";

/** Programs by the package of Debian that has them. */
const NEEDS = [
  { program: "sh", debian: "dash", for: "workers in POSIX shell" },
  { program: "python3", debian: "python3", for: "workers in Python" },
  { program: "ssh", debian: "openssh-client", for: "workers over ssh" },
  { program: "sshd", debian: "openssh-server", for: "workers over ssh" },
  { program: "python3", module: "zmq", debian: "python3-zmq", for: "plain ZeroMQ sockets of others" },
];

/** Ends the process with 1 where something is missing and cannot be installed. */
export function provide() {
  let missing = NEEDS.filter((need) => !isThere(need));
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && find("apt-get") !== undefined) {
    const packages = [...new Set(missing.map(({ debian }) => debian))];
    heading(`installing ${packages.join(", ")} (apt-get)`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-q"], { env, quiet: true });
    run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env, quiet: true });
    missing = missing.filter((need) => !isThere(need));
  }
  if (missing.length === 0) return;
  const lines = missing.map(({ program, module, debian, for: what }) => {
    const name = module === undefined ? program : `the module ${module} of ${program}`;
    return `  ${name}, for ${what} (on Debian: ${debian})`;
  });
  fail(`Cannot run the tests: these programs are missing:\n${lines.join("\n")}`);
}

function isThere({ program, module }) {
  if (module !== undefined) return pythonWith(module) !== undefined;
  return find(program) !== undefined;
}

/** A Python that has the module: the one on PATH, or else the system's own; undefined for none. */
export function pythonWith(module) {
  return ["python3", "/usr/bin/python3"].find((python) => spawnSync(python, ["-c", `import ${module}`]).status === 0);
}

/** Where the program is; undefined where it is not. */
function find(program) {
  // Servers lie where PATH does not always lead.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
