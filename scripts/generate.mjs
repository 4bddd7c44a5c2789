#!/usr/bin/env node
// Writes every generated file anew: npm run generate
import { runMain } from "./lib/errors.mjs";
import { runOnNode24 } from "./lib/node24.mjs";

await runMain(() => runOnNode24(["npm", "postgres"], "scripts/lib/generate-main.mjs", ["write"]));
