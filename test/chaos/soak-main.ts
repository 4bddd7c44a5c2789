/** `npm run soak`: exit 0 when nothing grew and nothing was left behind, 1 otherwise. */
import { cpus, loadavg } from "node:os";

import { growthAfterWarmUp, leaks, type Sample } from "./growth.ts";
import { runSoak } from "./soak.ts";
import { readFlags, refuse } from "../harness/flags.ts";

const flags = readFlags({ minutes: { type: "string", default: "60" }, rate: { type: "string", default: "50" }, json: { type: "boolean", default: false } });
const [minutes, rate] = [Number(flags.minutes), Number(flags.rate)];
if (!(minutes >= 0.5 && minutes <= 1_440)) refuse("--minutes must be from 0.5 to 1440: how long calls are placed");
if (!(rate >= 1 && rate <= 200)) refuse("--rate must be from 1 to 200: calls a second");

const SAMPLES = 30;
const row = (name: string, { router, routerLeast, asterisk, channels, bridges }: Sample) => {
  const [ofRouter, ofAsterisk] = [router, asterisk].map(({ megabytes, files, sockets, cpuSeconds }) => [megabytes, files, sockets, Math.round(cpuSeconds)]);
  const cells = [routerLeast, ...(ofRouter ?? []), ...(ofAsterisk ?? [])];
  return `| ${[name, ...cells, channels, bridges, loadavg()[0]?.toFixed(1)].join(" | ")} |`;
};

console.log(`${rate} calls/s for ${minutes} minutes, rung 1 s and held 5 s; ${cpus().length} CPUs, Node ${process.version}`);
console.log("| minute | router MB, least | now | files | sockets | CPU s | Asterisk MB | files | sockets | CPU s | channels | bridges | load |");
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
const evidence = await runSoak({ seconds: minutes * 60, rate, holdMs: 5_000, samples: SAMPLES, onSample: (sample) => console.log(row(String(sample.minute), sample)) });
const { before, samples, after, calls, records } = evidence;
console.log(row("before", before));
console.log(row("after", after));
const growth = { router: growthAfterWarmUp(samples, ({ routerLeast }) => routerLeast), asterisk: growthAfterWarmUp(samples, ({ asterisk }) => asterisk.megabytes) };
const found = leaks(evidence);
console.log(JSON.stringify({ calls, records, growthAfterWarmUp: growth }));
for (const sentence of found) console.log(sentence);
console.log(found.length === 0 ? "nothing grew, nothing was left behind" : "something grew or was left behind");
if (flags.json) console.log(JSON.stringify({ soak: "calls", minutes, rate, ...evidence, growthAfterWarmUp: growth, found }));
process.exit(found.length > 0 ? 1 : 0);
