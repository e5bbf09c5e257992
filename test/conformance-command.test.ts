import { conformance } from "../src/testing/index.ts";
import { subject as node } from "./fixtures/subjects/command-node.ts";
import { subject as python } from "./fixtures/subjects/command-python.ts";

conformance(node);
conformance(python);
