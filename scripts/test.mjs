#!/usr/bin/env node
// All tests on the real parts: npm test [-- vitest arguments]. The last line on stdout is `N passed, N failed, N skipped`.
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runMain } from "./lib/errors.mjs";
import { cacheDir, NODE_24, ROOT } from "./lib/paths.mjs";
import { runForeground } from "./lib/process.mjs";
import { setUp } from "./lib/set-up.mjs";
import { judge, summaryLine } from "./lib/test-report.mjs";

await runMain(async () => {
  const args = process.argv.slice(2);
  const env = await setUp([]);
  const reportPath = join(cacheDir(env), `test-report-${process.pid}.json`);
  await mkdir(cacheDir(env), { recursive: true });
  const vitest = [join(ROOT, "node_modules", "vitest", "vitest.mjs"), "run", "--reporter=default", "--reporter=json"];
  const code = await runForeground(NODE_24, [...vitest, `--outputFile.json=${reportPath}`, ...args], env);
  const report = await readFile(reportPath, "utf8").then((text) => /** @type {unknown} */ (JSON.parse(text)), () => undefined);
  await rm(reportPath, { force: true });
  const named = args.some((arg) => /^(-t|--testNamePattern)(=|$)/.test(arg));
  const { counts, problems } = judge(/** @type {import("./lib/test-report.mjs").Report | undefined} */ (report), code, named);
  for (const problem of problems) console.error(`\nNOT PASSED: ${problem}`);
  console.log(summaryLine(counts));
  return problems.length === 0 ? 0 : 1;
});
