import { conformance } from "manyhands/testing";
import { subject } from "./subjects/processes.mjs";

conformance(subject);
