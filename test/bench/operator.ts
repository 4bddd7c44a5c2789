/**
 * The operator's speed: a change until three Asterisk instances run it, and a large world beside a bare `kubectl apply` of it.
 * npm run bench:operator [-- --json] [-- --only rollout|world] [-- --changes 100 --pools 1000 --rules 10000 --numbers 1000000 --heap 215]
 */

import { measureLargeWorld, type LargeWorld } from "./large-world.ts";
import { measureRollout, type Rollout } from "./rollout.ts";
import { readFlags, refuse } from "../harness/flags.ts";

const options = readFlags({
  json: { type: "boolean", default: false },
  only: { type: "string" },
  changes: { type: "string", default: "100" },
  pools: { type: "string", default: "1000" },
  rules: { type: "string", default: "10000" },
  numbers: { type: "string", default: "1000000" },
  heap: { type: "string", default: "215" },
});
if (options.only !== undefined && !["rollout", "world"].includes(options.only)) refuse("--only: must be rollout or world");

const say = (text: string) => process.stderr.write(`${text}\n`);
const size = { pools: Number(options.pools), rules: Number(options.rules), numbers: Number(options.numbers), heapMegabytes: Number(options.heap) };
const rollout = options.only === "world" ? null : await measureRollout(Number(options.changes), say);
const world = options.only === "rollout" ? null : await measureLargeWorld(size, say);

if (options.json) process.stdout.write(`${JSON.stringify({ rollout, world })}\n`);
else process.stdout.write([...rolloutLines(rollout), ...worldLines(world), ""].join("\n"));
for (const target of [...(rollout?.missed ?? []), ...(world?.missed ?? [])]) {
  say(`missed: ${target}`);
  process.exitCode = 1;
}

function rolloutLines(result: Rollout | null): readonly string[] {
  if (result === null) return [];
  return [
    `a change verified in ${result.pods} Asterisk instances   p50 ${result.verifiedMs.p50} ms, p99 ${result.verifiedMs.p99} ms of ${result.changes}`,
    `until its condition says so              p50 ${result.conditionMs.p50} ms, p99 ${result.conditionMs.p99} ms`,
  ];
}

function worldLines(result: LargeWorld | null): readonly string[] {
  if (result === null) return [];
  const { kubectlApplySeconds, firstSync, oneRule, onePool } = result;
  return [
    `bare kubectl apply of the large world    ${kubectlApplySeconds.toFixed(1)} s`,
    `first sync, database                     ${firstSync.databaseSeconds.toFixed(1)} s`,
    `first sync, every status written         ${firstSync.statusSeconds.toFixed(1)} s, ${(firstSync.statusSeconds / kubectlApplySeconds).toFixed(2)} of kubectl's, at most ${firstSync.peakMegabytes} MB, then ${firstSync.megabytesAfterwards} MB`,
    `one rule changed, until in the database  p50 ${oneRule.medianMs} ms, slowest ${oneRule.slowestMs} ms, ${oneRule.rowsWritten} rows written`,
    `one pool changed, until in the database  p50 ${onePool.medianMs} ms, slowest ${onePool.slowestMs} ms, ${onePool.rowsWritten} rows written`,
  ];
}
