import type { Browser } from "playwright-core";
import { trunkEndpoint } from "../src/domain/asterisk-names.ts";
import { eventually, must, step, type StepResult } from "./evidence.ts";
import { Device } from "./people.ts";
import type { CallResult } from "./pstn/call-result.ts";
import type { AudioReport } from "./pstn/tones.ts";
import type { Listening } from "./pstn/types.ts";
import { reader, type Reader } from "./read.ts";
import type { DemoWorld } from "./world.ts";

const POOL = "default/sales";
const TRUNK = "default/carrier";
/** What the page shows without Dialplane. */
const OWN_NUMBER = "+12025550199";
const FIRST = "banner-spring";
const SECOND = "pricing";
/** Prospect A's own telephone. */
const TELEPHONE_A = "+12025550171";
/** Two repetitions of a number take about two seconds: enough to recognise it. */
const LISTEN_SECONDS = 3;

/** What earlier steps found and later ones need. */
interface Found {
  readonly a: { readonly device: Device; readonly number: string; readonly prospect: string };
}

/**
 * Walks through the claim on real parts. Each step looks for its own evidence; a step that fails stops those that need
 * what it should have found, and is reported.
 */
export async function claimWalk(world: DemoWorld, browser: Browser, report: (result: StepResult) => void): Promise<readonly StepResult[]> {
  const read = reader(world.url);
  const results: StepResult[] = [];
  const run = async (number: number, show: () => Promise<string>) => {
    const result = await step(number, show);
    results.push(result);
    report(result);
  };
  await run(1, () => trunkIsUp(world, read));
  const first = await open(world, browser);
  await run(2, () => numberIsShown(first.a, read));
  await run(3, async () => (await associationOf(read, (await first.a).number, (await first.a).prospect, FIRST)).evidence);
  await run(4, () => otherNumberIsShown(first, read));
  const second = await secondDevice(world, browser, first.a);
  await run(5, () => presenceWasDetermined(read, second));
  await run(6, () => sameNumberIsShown(second));
  const call = placeCall(world, first.a);
  await run(7, () => callWasReceived(call, read));
  await run(8, () => secondCallWasOriginated(call, read));
  await run(9, () => callsWereBridged(call, read));
  return results;
}

// ---------------------------------------------------------------- 1 the telephony interface

async function trunkIsUp(world: DemoWorld, read: Reader): Promise<string> {
  const trunk = await eventually(`${TRUNK} to be Ready`, async () => {
    const found = (await read.resources()).find(({ kind, metadata }) => kind === "SipTrunk" && `${metadata.namespace}/${metadata.name}` === TRUNK);
    return found?.status.conditions.find(({ type }) => type === "Ready")?.status === "True" && found;
  });
  must(trunk.kind === "SipTrunk", "it is no SipTrunk");
  const endpoint = trunkEndpoint(TRUNK);
  await eventually("the carrier to answer OPTIONS", async () => (await ari(world, `/endpoints/PJSIP/${endpoint}`)).state === "online");
  const { host, port, transport } = trunk.spec;
  return `SipTrunk ${TRUNK} is Ready: sip:${host}:${port} over ${transport}, endpoint ${endpoint} answers OPTIONS`;
}

async function ari(world: DemoWorld, path: string): Promise<Readonly<Record<string, unknown>>> {
  const { url, user, password } = world.standalone.asterisk.ari;
  const response = await fetch(url + path, { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` } });
  return (await response.json()) as Record<string, unknown>;
}

// ---------------------------------------------------------------- 2 to 4 numbers for two prospects

type Prospect = Promise<Found["a"] & { readonly text: string }>;

async function open(world: DemoWorld, browser: Browser): Promise<{ readonly a: Prospect; readonly b: Prospect }> {
  const visit = async () => {
    const device = await Device.open(browser, world.url);
    const { number, text } = await device.numberOf(FIRST, OWN_NUMBER);
    return { device, number, text, prospect: (await device.identity()).prospect };
  };
  const people = { a: visit(), b: visit() };
  await Promise.allSettled(Object.values(people));
  return people;
}

async function numberIsShown(a: Prospect, read: Reader): Promise<string> {
  const { number, text, prospect } = await a;
  const pool = (await read.resources()).find(({ kind }) => kind === "NumberPool");
  must(pool?.kind === "NumberPool", "there is no NumberPool");
  must((pool.spec.ranges ?? []).some(({ from, to }) => from <= number && number <= to), `${number} is not of the pool ${POOL}`);
  return `prospect ${prospect} sees ${text} (${number}, of ${POOL}) with media element "${FIRST}"`;
}

async function associationOf(read: Reader, number: string, prospect: string, mediaElement: string) {
  const history = await read.history(number);
  // The newest is the first of the history.
  const found = history.findLast((association) => association.prospect === prospect && association.mediaElement === mediaElement);
  must(found !== undefined, `no association of ${number} with ${prospect} and "${mediaElement}" is stored`);
  return { found, evidence: `Postgres: ${number} <-> PUID ${prospect}, "${mediaElement}", since ${found.leasedFrom}` };
}

async function otherNumberIsShown({ a, b }: { readonly a: Prospect; readonly b: Prospect }, read: Reader): Promise<string> {
  const [one, other] = [await a, await b];
  must(one.number !== other.number, `both see ${one.number}`);
  must(one.prospect !== other.prospect, "both are the same prospect");
  const { evidence } = await associationOf(read, other.number, other.prospect, FIRST);
  return `prospect ${other.prospect} sees ${other.text} with the same media element; ${evidence}`;
}

// ---------------------------------------------------------------- 5 and 6 the second device

interface SecondDevice {
  readonly a: Prospect;
  readonly device: Promise<Device>;
  readonly ids: Promise<{ readonly first: string; readonly second: string }>;
  /** When media element 2 was asked for, by the first device; milliseconds since 1970. */
  readonly shown: Promise<{ readonly number: string; readonly text: string; readonly at: number }>;
}

/** A logs in on both devices; the second one only stays open. Then A opens the prices on the FIRST device. */
async function secondDevice(world: DemoWorld, browser: Browser, a: Prospect): Promise<SecondDevice> {
  const device = (async () => {
    await (await a).device.signIn("anna");
    const opened = await Device.open(browser, world.url);
    await opened.numberOf(FIRST, OWN_NUMBER);
    await opened.signIn("anna");
    return opened;
  })();
  const ids = (async () => ({ first: (await (await a).device.identity()).device, second: (await (await device).identity()).device }))();
  const shown = (async () => {
    const opened = await device;
    must(!(await opened.showsPricing()), "the second device shows media element 2 already");
    await (await a).device.openPricing();
    const { number, text } = await opened.numberOf(SECOND, OWN_NUMBER);
    return { number, text, at: Date.now() };
  })();
  await Promise.allSettled([device, ids, shown]);
  return { a, device, ids, shown };
}

async function presenceWasDetermined(read: Reader, { a, ids, shown }: SecondDevice): Promise<string> {
  const { number, prospect } = await a;
  const { first, second } = await ids;
  const { found } = await associationOf(read, number, prospect, SECOND);
  must(found.device === first, `the first to ask for "${SECOND}" was device ${found.device}, not ${first}`);
  must(found.otherDevicesOnline.includes(second), `device ${second} was not found online, only [${found.otherDevicesOnline.join(", ")}]`);
  must(Date.parse(found.determinedAt) <= (await shown).at, "it was shown before it was determined");
  return `when device ${first} asked for "${SECOND}", device ${second} was found online, at ${found.determinedAt}, before anything was shown`;
}

async function sameNumberIsShown({ a, ids, shown }: SecondDevice): Promise<string> {
  const { number } = await a;
  const there = await shown;
  must(there.number === number, `the second device shows ${there.number} and not ${number}`);
  return `device ${(await ids).second} shows ${there.text} (${there.number}), the same number, with media element "${SECOND}"`;
}

// ---------------------------------------------------------------- 7 to 9 the call

interface Call {
  readonly to: string;
  readonly prospect: string;
  readonly result: CallResult;
  readonly heard: Listening;
  /** Bridges that Asterisk had while both talked, with their channels. */
  readonly bridges: readonly { readonly id: string; readonly channels: readonly string[] }[];
}

async function placeCall(world: DemoWorld, a: Prospect): Promise<Call> {
  const { number, prospect } = await a;
  const call = await world.pstn.dial({ from: TELEPHONE_A, to: number, ringSeconds: 20 });
  const answered = await call.answered;
  const heard = answered ? await world.pstn.listen(call, LISTEN_SECONDS) : null;
  const bridges = (await ari(world, "/bridges")) as unknown as Call["bridges"];
  const result = await world.pstn.hangUp(call);
  must(heard !== null, `${number} did not answer: ${responses(result)}`);
  return { to: number, prospect, result, heard, bridges };
}

async function recordOf(read: Reader, { to }: Call) {
  return eventually(`the record of the call to ${to}`, async () => (await read.calls()).find((record) => record.did === to && record.endedAt !== null));
}

async function callWasReceived(placed: Promise<Call>, read: Reader): Promise<string> {
  const call = await placed;
  const record = await recordOf(read, call);
  must(record.prospect === call.prospect, `the call was taken for one of ${record.prospect ?? "nobody"}`);
  must(record.attribution === "exclusive", `its attribution is ${record.attribution}`);
  return `${TELEPHONE_A} called ${call.to} (${responses(call.result)}; Call-ID ${call.result.callId}); it is prospect ${call.prospect}, ${record.attribution}`;
}

function responses(result: CallResult): string {
  return result.responses.map(({ code, reason, atMs }) => `${code} ${reason} after ${Math.round(atMs)} ms`).join(", ");
}

async function secondCallWasOriginated(placed: Promise<Call>, read: Reader): Promise<string> {
  const call = await placed;
  const record = await recordOf(read, call);
  const leg = record.legs.find(({ result }) => result === "answered");
  must(leg !== undefined, "no leg of the call was answered");
  must(leg.destination !== call.to && leg.destination !== TELEPHONE_A, `${leg.destination} is no third number`);
  must(call.heard.answeredBy === leg.destination, `${call.heard.answeredBy ?? "nobody"} answered, not ${leg.destination}`);
  return `channel ${leg.channel} to ${leg.destination}, chosen by rule ${record.rule ?? "none"} because the caller was shown "${record.mediaElement ?? ""}"`;
}

async function callsWereBridged(placed: Promise<Call>, read: Reader): Promise<string> {
  const call = await placed;
  const record = await recordOf(read, call);
  const bridge = call.bridges.find(({ id }) => id === record.bridge);
  must(bridge?.channels.length === 2, `the bridge ${record.bridge ?? ""} did not have two channels`);
  must(call.heard.heardByCaller.ok, `the caller did not hear the answering party: ${inWords(call.heard.heardByCaller)}`);
  must(call.heard.heardByAnswerer?.ok === true, `the answering party did not hear the caller: ${inWords(call.heard.heardByAnswerer)}`);
  const { callerReceived, answererReceived } = call.result.rtp;
  return (
    `bridge ${bridge.id} joined ${bridge.channels.join(" and ")}; caller heard ${inWords(call.heard.heardByCaller)} (${callerReceived.bytes} bytes of audio), ` +
    `answering party heard ${inWords(call.heard.heardByAnswerer)} (${answererReceived.bytes} bytes)`
  );
}

function inWords(report: AudioReport | null): string {
  if (report === null) return "nothing, there was no such leg";
  return report.detected === null ? `no number in ${report.recordedSeconds.toFixed(1)} s of sound` : `${report.detected} played ${report.rounds} times`;
}
