import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/threads.ts";

conformance(subject);
