/** `npm run chaos:calls`: exit 0 when every promise held, 1 when one was broken. */
import { cpus, loadavg } from "node:os";

import type { FaultRow } from "./call-judge.ts";
import { runCallsChaos } from "./calls.ts";
import { readFlags, refuse } from "../harness/flags.ts";

const flags = readFlags({ minutes: { type: "string", default: "30" }, rate: { type: "string", default: "50" }, json: { type: "boolean", default: false } });
const [minutes, rate] = [Number(flags.minutes), Number(flags.rate)];
if (!(minutes >= 0.5 && minutes <= 1_440)) refuse("--minutes must be from 0.5 to 1440: how long calls are placed");
if (!(rate >= 1 && rate <= 200)) refuse("--rate must be from 1 to 200: calls a second");

const row = ({ fault, times, setUp, bridged, byDefault, pickedUpInVain, reachedNobody, bridgedLost, longestWaitSeconds }: FaultRow) =>
  `| ${[fault, times, setUp, bridged, byDefault, longestWaitSeconds, pickedUpInVain, reachedNobody, bridgedLost].join(" | ")} |`;

console.log(`${rate} calls/s for ${minutes} minutes, rung 1 s and held 5 s, while router, Postgres and network break at random; ${cpus().length} CPUs, Node ${process.version}`);
const { faults, broken, wronged, ...counts } = await runCallsChaos({
  seconds: minutes * 60,
  rate,
  holdMs: 5_000,
  quietMs: 4_000,
  times: { short: 3_000, long: 20_000, slow: 5_000 },
  onEnd: ({ open, unheard, unwatched }) => {
    for (const { id, received_at, answered_at, bridged_at } of open) console.log(`  open: ${JSON.stringify([id, received_at, answered_at, bridged_at])}`);
    console.log(`channels that went without an event: ${unheard}; times that live calls were not the application's: ${unwatched}`);
  },
  onWronged: ({ story, records, log }) => {
    console.log(`  a promise was broken: ${JSON.stringify({ story, records })}`);
    for (const line of log) console.log(`    ${line}`);
  },
  onFault: ({ fault, to }) => console.log(`  ${new Date(to).toISOString()} ${fault} (load ${loadavg()[0]?.toFixed(1)})`),
});
console.log("| fault | times | calls in set-up | bridged calls | answered by the default destination | longest wait, s | picked up in vain | reached nobody | bridged lost |");
console.log("|---|---|---|---|---|---|---|---|---|");
for (const one of faults) console.log(row(one));
console.log(JSON.stringify(counts, null, 2));
for (const sentence of broken) console.log(sentence);
console.log(`${counts.calls} calls: ${broken.length === 0 ? "every promise held" : "promises were broken"}`);
if (flags.json) console.log(JSON.stringify({ chaos: "calls", minutes, rate, ...counts, faults, broken, wronged }));
process.exit(broken.length > 0 ? 1 : 0);
