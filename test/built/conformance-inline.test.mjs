import { conformance } from "manyhands/testing";
import { subject } from "./subjects/inline.mjs";

conformance(subject);
