import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/command-shell.ts";

conformance(subject);
