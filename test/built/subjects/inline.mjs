import { inline } from "manyhands/inline";
import { traits } from "../traits.mjs";

export const subject = { name: "inline, built", module: new URL(import.meta.url), open: inline, traits: traits.inline };
