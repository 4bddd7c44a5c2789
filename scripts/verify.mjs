#!/usr/bin/env node
// Exit code 1 when a generated file differs from what its generator makes: npm run verify
import { runMain } from "./lib/errors.mjs";
import { runOnNode24 } from "./lib/node24.mjs";

await runMain(() => runOnNode24(["npm", "postgres"], "scripts/lib/generate-main.mjs", ["verify"]));
