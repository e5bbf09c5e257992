import { processes } from "manyhands/processes";
import { traits } from "../traits.mjs";

export const subject = {
  name: "processes, built",
  module: new URL(import.meta.url),
  open: processes,
  traits: traits.processes,
};
