/** `npm run chaos:claims`: exit 0 when every promise held, 1 when one was broken. */
import { cpus } from "node:os";
import { runClaimsChaos } from "./claims.ts";
import { readFlags, refuse } from "../harness/flags.ts";

const flags = readFlags({ claims: { type: "string", default: "1000000" }, minutes: { type: "string", default: "60" }, json: { type: "boolean", default: false } });
const claims = Number(flags.claims);
const minutes = Number(flags.minutes);
if (!(claims >= 1000 && claims <= 100_000_000)) refuse("--claims must be from 1000 to 100000000");
if (!(minutes > 0 && minutes <= 1440)) refuse("--minutes must be above 0 and at most 1440: when it ends with fewer claims");

console.log(`${claims} claims from 8 client processes over 2 ingress processes, which are killed at random, and Postgres too; ${cpus().length} CPUs, Node ${process.version}`);
const report = await runClaimsChaos({ claims, clients: 8, callers: 24, killEveryMilliseconds: [1_500, 8_000], deadlineMilliseconds: minutes * 60_000 });
const { broken, missing, faults, ...counts } = report;
console.log(JSON.stringify(counts, null, 2));
for (const sentence of [...broken.slice(0, 5), ...missing.slice(0, 5), ...faults.slice(0, 5)]) console.log(sentence);
console.log(`${counts.claims} acknowledged claims in ${counts.seconds.toFixed(0)} s: ${broken.length} broken promises, ${missing.length} missing from the history, ${faults.length} answers 500`);
if (flags.json) console.log(JSON.stringify({ chaos: "claims", ...counts, broken: broken.length, missing: missing.length, faults: faults.length }));
process.exit(broken.length > 0 || missing.length > 0 || faults.length > 0 || counts.claims < claims ? 1 : 0);
