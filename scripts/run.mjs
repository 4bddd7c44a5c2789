#!/usr/bin/env node
// Sets up real parts, then runs a file on Node 24: node scripts/run.mjs [--parts npm,postgres] FILE [args...]
import { relative, resolve } from "node:path";
import { runMain, SetUpError } from "./lib/errors.mjs";
import { runOnNode24 } from "./lib/node24.mjs";
import { ROOT } from "./lib/paths.mjs";

const DEFAULT_PARTS = ["npm", "postgres"];

/** @param {string[]} args @returns {{ parts: string[], file: string, rest: string[] }} */
function parseArguments(args) {
  const [first, list, ...others] = args;
  const chosen = first === "--parts";
  const parts = chosen ? (list ?? "").split(",").filter((name) => name !== "") : DEFAULT_PARTS;
  const [file, ...rest] = chosen ? others : args;
  if (!file || parts.length === 0) {
    throw new SetUpError("Nothing to run", "no file was named", "node scripts/run.mjs [--parts npm,postgres] FILE [args...]");
  }
  return { parts: [...new Set(["npm", ...parts])], file: relative(ROOT, resolve(file)), rest };
}

await runMain(() => {
  const { parts, file, rest } = parseArguments(process.argv.slice(2));
  return runOnNode24(parts, file, rest);
});
