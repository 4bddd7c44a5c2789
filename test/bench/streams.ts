import { execFileSync } from "node:child_process";
import { randomUUIDv7 } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { createTokenSigner } from "../../src/domain/puid.ts";
import type { E164, Uuid } from "../../src/domain/types.ts";
import { readFlags, refuse } from "../harness/flags.ts";
import { eventually } from "../harness/process.ts";
import { percentile } from "./claim-load.ts";
import { machine, POOL, tokenKey, withIngress, type IngressWorld } from "./ingress-world.ts";
import { openStreams } from "./open-streams.ts";

/** What the processes of this bench have open besides streams. */
const SPARE_FILES = 100;
const DEVICES_A_STATEMENT = 500;
const OPENED_AT_ONCE = 100;
const PUSHES = 200;
const HEARTBEATS = 10;
/** As PresenceKeeper sends them. */
const HEARTBEAT_BATCH = 10_000;
const TTL_SECONDS = 45;
const MOST_BYTES_A_STREAM = 40_000;

const flags = readFlags({ json: { type: "boolean", default: false }, seconds: { type: "string", default: "60" }, streams: { type: "string", default: "20000" } });
const seconds = Number(flags.seconds);
if (!(seconds >= 1 && seconds <= 600)) refuse("--seconds must be from 1 to 600: how long CPU is measured");
const wanted = Number(flags.streams);
if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= 20_000)) refuse("--streams must be from 1 to 20000, the default limit of one process");
const openFiles = Number(execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }));
const streams = Number.isNaN(openFiles) ? wanted : Math.min(wanted, openFiles - SPARE_FILES);

interface Result {
  readonly streams: number;
  readonly openedPerSecond: number;
  readonly rssBytesPerStream: number;
  readonly heapBytesPerStream: number;
  readonly cpuPercentIdle: number;
  readonly cpuPercentWithStreams: number;
  /** As the process exports it (perf_hooks), over the measured time. */
  readonly eventLoopDelayP99Ms: number;
  /** One statement for 10,000 devices. */
  readonly heartbeatP50Ms: number;
  readonly pushP50Ms: number;
  readonly pushP99Ms: number;
  readonly closedSeconds: number;
}

async function makeDevices(world: IngressWorld): Promise<Map<Uuid, string>> {
  const signer = createTokenSigner([tokenKey]);
  const devices = Array.from({ length: streams }, () => randomUUIDv7());
  for (let start = 0; start < devices.length; start += DEVICES_A_STATEMENT) {
    const some = devices.slice(start, start + DEVICES_A_STATEMENT);
    // Of a pool that is not there: it lends nothing, and knows the devices from then on.
    await world.stores.claims.claim(some.map((device) => ({ pool: "bench/none", prospect: randomUUIDv7(), device, mediaElement: "none", attributes: {} })));
  }
  return new Map(devices.map((device) => [device, signer.sign("device", device)]));
}

interface Usage {
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly eventLoopDelayP99Ms: number;
}

/** What the process uses while nothing but time passes. */
async function usage(world: IngressWorld): Promise<Usage> {
  const before = await world.metrics();
  const started = performance.now();
  await sleep(seconds * 1000);
  const after = await world.metrics();
  const cpuSeconds = after("process_cpu_seconds_total") - before("process_cpu_seconds_total");
  return {
    cpuPercent: (cpuSeconds / ((performance.now() - started) / 1000)) * 100,
    rssBytes: after("process_resident_memory_bytes"),
    heapBytes: after("nodejs_heap_size_used_bytes"),
    eventLoopDelayP99Ms: after("nodejs_eventloop_lag_p99_seconds") * 1000,
  };
}

async function heartbeatTimes(world: IngressWorld, devices: readonly Uuid[]): Promise<Float64Array> {
  const times: number[] = [];
  for (let round = 0; round < HEARTBEATS; round += 1) {
    const started = performance.now();
    await world.stores.presence.heartbeat(devices.slice(0, HEARTBEAT_BATCH), TTL_SECONDS);
    times.push(performance.now() - started);
  }
  return Float64Array.from(times);
}

/** From the call that publishes to the bytes at the device, through Postgres. */
async function pushTimes(world: IngressWorld, devices: readonly Uuid[], arrivals: Map<string, () => void>): Promise<Float64Array> {
  const times: number[] = [];
  const until = new Date(Date.now() + 1_800_000);
  for (let push = 0; push < PUSHES; push += 1) {
    const device = devices[Math.floor((push * devices.length) / PUSHES)] ?? "";
    const started = performance.now();
    const arrived = new Promise<void>((resolve) => arrivals.set(device, resolve));
    await world.stores.pushes.publish([{ device, pool: POOL, mediaElement: "pricing", did: "+4915110000000" as E164, leasedUntil: until }]);
    await arrived;
    times.push(performance.now() - started);
  }
  return Float64Array.from(times);
}

async function measure(world: IngressWorld): Promise<Result> {
  const devices = await makeDevices(world);
  const ids = [...devices.keys()];
  const open = async () => (await world.metrics())("dialplane_ingress_open_streams");
  const online = () => world.count("select count(*) from device where online_until > clock_timestamp()");
  const idle = await usage(world);

  const arrivals = new Map<string, () => void>();
  const opening = performance.now();
  const sockets = await openStreams(world.url, devices, OPENED_AT_ONCE, (device) => arrivals.get(device)?.());
  const openedPerSecond = streams / ((performance.now() - opening) / 1000);
  await eventually("all devices are online", async () => (await online()) === streams, 60_000);
  const busy = await usage(world);
  const pushes = await pushTimes(world, ids, arrivals);
  if ((await open()) !== streams) throw new Error("streams were lost while they were measured");

  const closing = performance.now();
  for (const socket of sockets) socket.destroy();
  await eventually("all devices are offline", async () => (await open()) === 0 && (await online()) === 0, 120_000);
  const closedSeconds = (performance.now() - closing) / 1000;
  const heartbeats = await heartbeatTimes(world, ids);
  return {
    streams,
    openedPerSecond,
    rssBytesPerStream: (busy.rssBytes - idle.rssBytes) / streams,
    heapBytesPerStream: (busy.heapBytes - idle.heapBytes) / streams,
    cpuPercentIdle: idle.cpuPercent,
    cpuPercentWithStreams: busy.cpuPercent,
    eventLoopDelayP99Ms: busy.eventLoopDelayP99Ms,
    heartbeatP50Ms: percentile(heartbeats, 0.5),
    pushP50Ms: percentile(pushes, 0.5),
    pushP99Ms: percentile(pushes, 0.99),
    closedSeconds,
  };
}

function lines(result: Result): string {
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  return [
    ["streams open at once", String(result.streams)],
    ["opened", `${result.openedPerSecond.toFixed(0)}/s`],
    ["resident memory a stream", kilobytes(result.rssBytesPerStream)],
    ["of it heap in use", kilobytes(result.heapBytesPerStream)],
    ["CPU of the process without streams", `${result.cpuPercentIdle.toFixed(1)} %`],
    ["CPU with all of them (heartbeats, keep-alives)", `${result.cpuPercentWithStreams.toFixed(1)} %`],
    ["event loop delay p99", `${result.eventLoopDelayP99Ms.toFixed(1)} ms`],
    ["heartbeat of 10,000 devices in Postgres, p50", `${result.heartbeatP50Ms.toFixed(0)} ms`],
    ["push from publish to device, p50", `${result.pushP50Ms.toFixed(2)} ms`],
    ["push from publish to device, p99", `${result.pushP99Ms.toFixed(2)} ms`],
    ["all closed and written offline", `${result.closedSeconds.toFixed(1)} s`],
  ]
    .map(([what = "", value = ""]) => `${what.padEnd(48)}${value.padStart(12)}`)
    .join("\n");
}

console.log(`${streams} open streams on one process of ingress, CPU over ${seconds} s each; ${machine()}`);
if (streams < wanted) console.log(`not ${wanted}: a process may open ${openFiles} files here (ulimit -Hn)`);
const result = await withIngress("https://acme.example", measure);
console.log(lines(result));
if (flags.json) console.log(JSON.stringify({ bench: "streams", machine: machine(), seconds, ...result }));
if (result.rssBytesPerStream > MOST_BYTES_A_STREAM) {
  console.log(`more than ${MOST_BYTES_A_STREAM / 1000} kB a stream`);
  process.exitCode = 1;
}
