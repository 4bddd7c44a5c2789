#!/usr/bin/env node
// Makes the real parts available: node scripts/setup.mjs [npm] [asterisk] [postgres] [sipp] [chromium] [control-plane]; none means all.
import { runMain } from "./lib/errors.mjs";
import { setUp } from "./lib/set-up.mjs";

await runMain(async () => {
  await setUp(process.argv.slice(2));
  return 0;
});
