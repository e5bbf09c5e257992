import { threads } from "manyhands/threads";
import { traits } from "../traits.mjs";

export const subject = {
  name: "threads, built",
  module: new URL(import.meta.url),
  open: threads,
  traits: traits.threads,
};
