import { loadEngine } from "./engine.ts";

export interface KeyPair {
  /** 40 characters of Z85; for everybody. */
  readonly publicKey: string;
  /** 40 characters of Z85; for nobody else. */
  readonly secretKey: string;
}

/** Makes a pair of keys for CURVE. @throws BackendUnavailableError where the package `zeromq` is missing */
export async function makeKeyPair(): Promise<KeyPair> {
  const { curveKeyPair } = await loadEngine();
  return curveKeyPair();
}
