import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/remote-loopback.ts";

conformance(subject);
