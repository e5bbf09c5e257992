import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/command-node-lines.ts";

conformance(subject);
