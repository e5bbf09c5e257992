import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/command-node.ts";

conformance(subject);
