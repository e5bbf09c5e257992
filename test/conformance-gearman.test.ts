import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/gearman.ts";

conformance(subject);
