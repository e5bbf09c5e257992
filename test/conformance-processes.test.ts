import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/processes.ts";

conformance(subject);
