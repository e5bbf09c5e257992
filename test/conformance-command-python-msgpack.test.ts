import { conformance } from "../src/testing/index.ts";
import { subject } from "./fixtures/subjects/command-python-msgpack.ts";

conformance(subject);
