import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/inline.ts";

conformance(subject);
