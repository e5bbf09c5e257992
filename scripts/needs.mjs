// Programs of the system that the tests need beside Node. On Debian, for root, what is missing is installed; anywhere else it is said.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail, heading, run } from "./run.mjs";

/** Programs by the package of Debian that has them; with what they say when they are asked, where that tells. */
const NEEDS = [
  { program: "sh", debian: "dash", for: "workers in POSIX shell" },
  { program: "python3", debian: "python3", for: "workers in Python" },
  { program: "ssh", debian: "openssh-client", for: "workers over ssh" },
  { program: "sshd", debian: "openssh-server", for: "workers over ssh" },
  { program: "openssl", debian: "openssl", for: "certificates of test servers" },
  { program: "gearmand", debian: "gearman-job-server", for: "Gearman", says: ["--version"], matching: /^gearmand /m },
  { program: "gearman", debian: "gearman-tools", for: "the clients and workers of libgearman" },
  { program: "php", debian: "php-cli", for: "Gearman in PHP" },
  { program: "php", debian: "php-gearman", for: "Gearman in PHP", says: ["-m"], matching: /^gearman$/m },
  {
    program: "perl",
    debian: "libgearman-client-perl",
    for: "Gearman in Perl",
    says: ["-e", "print grep { -e qq($_/Gearman/Client.pm) } @INC"],
    matching: /./,
  },
  {
    program: "perl",
    debian: "gearman-server",
    for: "the Gearman server in Perl",
    says: ["-e", "print grep { -e qq($_/Gearman/Server.pm) } @INC"],
    matching: /./,
  },
];

/** Ends the process with 1 where something is missing and cannot be installed. */
export function provide() {
  let missing = NEEDS.filter(isMissing);
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && find("apt-get").length > 0) {
    const packages = [...new Set(missing.map(({ debian }) => debian))];
    heading(`installing ${packages.join(", ")} (apt-get)`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-q"], { env, quiet: true });
    withoutStarting(() => {
      run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env, quiet: true });
    });
    missing = missing.filter(isMissing);
  }
  if (missing.length === 0) return;
  const lines = missing.map(({ program, debian, for: what }) => `  ${program}, for ${what} (on Debian: ${debian})`);
  fail(`Cannot run the tests: these programs are missing:\n${lines.join("\n")}`);
}

function isMissing({ program, says, matching }) {
  const paths = find(program);
  if (says === undefined) return paths.length === 0;
  // Two packages have a program of the same name: each of them is asked.
  return !paths.some((path) => matching.test(spawnSync(path, says, { encoding: "utf8" }).stdout ?? ""));
}

/** Where programs of that name are. */
function find(program) {
  // Servers lie where PATH does not always lead.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  return [...new Set(folders.map((folder) => join(folder, program)))].filter((path) => existsSync(path));
}

/** Debian starts the servers that it installs. The tests start their own. */
function withoutStarting(install) {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return install();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(policy);
  }
}
