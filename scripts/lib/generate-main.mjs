// Runs on Node 24, started by scripts/generate.mjs (write) and scripts/verify.mjs (verify).
import { join } from "node:path";
import { compareFiles, runGenerators, writeFiles } from "./generated-files.mjs";
import { runMain, SetUpError } from "./errors.mjs";
import { ROOT } from "./paths.mjs";

/** @param {Map<string, string>} files */
async function write(files) {
  const changed = await writeFiles(ROOT, files);
  for (const path of changed) console.log(`written: ${path}`);
  console.log(`${files.size} generated files, ${changed.length} changed`);
  return 0;
}

/** @param {Map<string, string>} files */
async function verify(files) {
  const differences = await compareFiles(ROOT, files);
  for (const difference of differences) console.error(difference);
  if (differences.length > 0) console.error("run `npm run generate` and commit the result; generated files are never edited by hand");
  console.log(`${files.size} generated files, ${differences.length} not as generated`);
  return differences.length === 0 ? 0 : 1;
}

await runMain(async () => {
  const mode = process.argv[2];
  const files = await runGenerators(join(ROOT, "scripts", "generators"));
  if (mode === "write") return write(files);
  if (mode === "verify") return verify(files);
  throw new SetUpError("Nothing to do", `the mode is ${mode ?? "missing"}`, "use `npm run generate` or `npm run verify`");
});
