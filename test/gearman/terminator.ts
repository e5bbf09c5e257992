// What stunnel or haproxy would be in front of a server, with certificates for both ends.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { until } from "../../src/testing/stage.ts";
import { type Ending, startServer } from "./server.ts";

export interface Party {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** Makes a key and a certificate of its own in a folder: `<name>.key`, `<name>.pem`. */
export function certificate(folder: string, name: string): Party {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  execFileSync("openssl", [...args, "-keyout", key, "-out", cert, ...subject], { stdio: "pipe" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Gives the address at which TLS is spoken, to those whose certificate is that one. */
export async function startTerminator(t: Ending, { key, cert }: Party, ca: Buffer): Promise<string> {
  const { port } = await startServer(t);
  const options = { key, cert, ca, requestCert: true, rejectUnauthorized: true };
  const terminator = createServer(options, (secured) => {
    const plain = connect(port, "127.0.0.1");
    secured.pipe(plain).pipe(secured);
    for (const socket of [secured, plain]) socket.on("error", () => [secured, plain].map((one) => one.destroy()));
    secured.on("close", () => plain.destroy());
    plain.on("close", () => secured.destroy());
  });
  terminator.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
  t.after(() => void terminator.close());
  await until(() => terminator.listening, "the terminator");
  return `127.0.0.1:${(terminator.address() as { port: number }).port}`;
}
