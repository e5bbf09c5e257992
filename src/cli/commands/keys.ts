// `manyhands keys`: a pair of keys for clusters over ZeroMQ.
import type { Command } from "commander";
import { Complaint, messageOf } from "../complaint.ts";

export function addKeysCommand(program: Command): void {
  program
    .command("keys")
    .description("make a pair of keys of CURVE for a cluster over ZeroMQ, as JSON")
    .addHelpText(
      "after",
      `
Save it where only its owner reads it, and give the file as --keys:
  (umask 077; manyhands keys > pool.json; manyhands keys > host.json)

The pool's file also lists who may come in: "allow": ["the public key of host.json"].
Each host's file also says whom it joins: "serverKey": "the public key of pool.json".`,
    )
    .helpOption("-h, --help", "show this help")
    .action(async () => {
      const { makeKeyPair } = await import("../../backends/zeromq/index.ts");
      const pair = await makeKeyPair().catch((error: unknown) => {
        throw new Complaint("usage", messageOf(error), { cause: error });
      });
      process.stdout.write(`${JSON.stringify(pair, undefined, 2)}\n`);
    });
}
