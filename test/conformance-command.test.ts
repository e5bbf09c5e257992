import { conformance } from "../src/testing/index.ts";
import { subject as node } from "./fixtures/subjects/command-node.ts";

conformance(node);
