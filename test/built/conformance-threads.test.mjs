import { conformance } from "manyhands/testing";
import { subject } from "./subjects/threads.mjs";

conformance(subject);
