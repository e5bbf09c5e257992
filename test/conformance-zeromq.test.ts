import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/zeromq.ts";

conformance(subject);
