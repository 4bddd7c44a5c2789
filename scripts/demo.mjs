#!/usr/bin/env node
// The whole product in one process with a simulated telephone network: npm run demo [-- --check] [--json]
import { runMain } from "./lib/errors.mjs";
import { runOnNode24 } from "./lib/node24.mjs";

const PARTS = ["npm", "asterisk", "postgres", "chromium"];

await runMain(() => runOnNode24(PARTS, "demo/main.ts", process.argv.slice(2)));
