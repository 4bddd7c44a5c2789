import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { eventually, findOnPath, startProcess, temporaryFolder, type TestProcess } from "./process.ts";
import { freeUdpPort, loopbackAddress } from "./ports.ts";
import { parseMessageTrace, type SipMessage } from "./sip-message.ts";

/** How long a server that is stopped waits for the end of its calls. */
const LAST_CALLS_MS = 1_500;

interface SippOptions {
  /** The name of a file in test/sipp (`call-answered.xml`), or a scenario as XML text. */
  readonly scenario: string;
  /** Own address; a free loopback address otherwise. */
  readonly address?: string;
  /** Own port; 5060 for a server and a free one for a caller otherwise. */
  readonly port?: number;
  /**
   * Values of `[name]` in the scenario (SIPp's -key). They are put into the message byte for byte: hostile text
   * belongs here and not into the XML, where SIPp reads `[...]` as its own and ends at `]]>`.
   */
  readonly keys?: Readonly<Record<string, string>>;
  readonly transport?: "udp" | "tcp";
}

export interface SippCall extends SippOptions {
  /** Where to: `address:port`. */
  readonly target: string;
  /** User of the request URI and of To: `[service]`. */
  readonly to: string;
  /** User of From: `[caller]`. */
  readonly from: string;
  readonly calls?: number;
  /** Calls a second. */
  readonly rate?: number;
  /** Length of a `<pause/>` without a length of its own: how long an answered call is held. */
  readonly holdMs?: number;
  /** Lines of values, one a call: `[field0]`, `[field1]` ... */
  readonly injection?: readonly (readonly string[])[];
  readonly timeoutMs?: number;
}

export interface SippResult {
  /** 0: every call went as the scenario says; 1: some did not; 97: time-out. */
  readonly exitCode: number;
  readonly stats: { readonly created: number; readonly successful: number; readonly failed: number };
  readonly messages: readonly SipMessage[];
  /** What SIPp wrote about unexpected messages and time-outs. */
  readonly errors: string;
}

export interface SippServer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  messages(): Promise<readonly SipMessage[]>;
  errors(): Promise<string>;
  stop(): Promise<void>;
}

const SCENARIOS = fileURLToPath(new URL("../sipp/", import.meta.url));

/** Places calls and waits for their end. Fails when SIPp can't be run, not when a call goes wrong: look at `exitCode`. */
export async function runSipp(call: SippCall): Promise<SippResult> {
  const folder = await temporaryFolder("sipp");
  try {
    const own = { address: call.address ?? (await loopbackAddress()), port: 0 };
    own.port = call.port ?? (await freeUdpPort(own.address));
    const timeoutMs = call.timeoutMs ?? 30_000;
    const process = startProcess(await commandLine(call, own, folder.path, await callerArguments(call, folder.path, timeoutMs)), { cwd: folder.path });
    const killer = setTimeout(() => process.kill("SIGKILL"), timeoutMs + 5_000);
    const { code } = await process.exited;
    clearTimeout(killer);
    return await resultOf(code, process, folder.path);
  } finally {
    await folder.remove();
  }
}

/** A user agent that is called, in the background until `stop()`. */
export async function startSippServer(options: SippOptions): Promise<SippServer> {
  const folder = await temporaryFolder("sipp");
  const own = { address: options.address ?? (await loopbackAddress()), port: options.port ?? 5060 };
  const process = startProcess(await commandLine(options, own, folder.path, []), { cwd: folder.path });
  const stop = async () => {
    // SIGUSR1 lets calls end first: a BYE that nobody answers is repeated, and would be the next server's on this address.
    process.kill("SIGUSR1");
    await Promise.race([process.exited, sleep(LAST_CALLS_MS, undefined, { ref: false })]);
    await process.stop();
    await folder.remove();
  };
  const gone = process.exited.then(({ code }) => {
    throw new Error(`SIPp ended with code ${String(code)}: ${process.output()}`);
  });
  try {
    await Promise.race([eventually("SIPp listening", () => isBound(own.address, own.port)), gone]);
  } catch (error) {
    await stop();
    throw error;
  }
  gone.catch(() => undefined);
  const read = (name: string) => readFile(join(folder.path, name), "utf8").catch(() => "");
  const messages = async () => parseMessageTrace(await read("messages.log"));
  return { ...own, messages, errors: () => read("errors.log"), stop, [Symbol.asyncDispose]: stop };
}

/** The text of a scenario in test/sipp. */
export function scenarioText(name: string): Promise<string> {
  return readFile(join(SCENARIOS, name), "utf8");
}

async function commandLine(
  options: SippOptions,
  own: { address: string; port: number },
  folder: string,
  rest: readonly string[],
): Promise<[string, ...string[]]> {
  const file = join(folder, "scenario.xml");
  await writeFile(file, options.scenario.trimStart().startsWith("<") ? options.scenario : await scenarioText(options.scenario));
  const keys = Object.entries(options.keys ?? {}).flatMap(([name, value]) => ["-key", name, value]);
  const traces = ["-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log", "-trace_stat", "-stf", "stats.csv"];
  const transport = ["-t", options.transport === "tcp" ? "t1" : "u1"];
  return [sippProgram(), ...rest, "-sf", file, "-i", own.address, "-mi", own.address, "-p", String(own.port), "-nostdin", ...transport, ...traces, ...keys];
}

async function callerArguments(call: SippCall, folder: string, timeoutMs: number): Promise<string[]> {
  const load = ["-m", String(call.calls ?? 1), "-r", String(call.rate ?? 10), "-d", String(call.holdMs ?? 500), "-timeout", `${Math.ceil(timeoutMs / 1000)}s`, "-timeout_error"];
  const injected = call.injection === undefined ? [] : ["-inf", join(folder, "injection.csv")];
  if (call.injection !== undefined) {
    const lines = call.injection.map((fields) => fields.join(";"));
    await writeFile(join(folder, "injection.csv"), ["SEQUENTIAL", ...lines, ""].join("\n"));
  }
  return [call.target, "-s", call.to, "-key", "caller", call.from, ...load, ...injected];
}

export function sippProgram(): string {
  const program = process.env["SIPP_PATH"] ?? findOnPath("sipp");
  if (program === undefined) {
    throw new Error("SIPp was not found: install the package sip-tester or set SIPP_PATH");
  }
  return program;
}

async function resultOf(code: number | null, process: TestProcess, folder: string): Promise<SippResult> {
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
  const stats = parseStats(await read("stats.csv"));
  if (code === null || stats === undefined) {
    throw new Error(`SIPp did not run (code ${String(code)}): ${await read("errors.log")} ${process.output().slice(-2_000)}`);
  }
  return { exitCode: code, stats, messages: parseMessageTrace(await read("messages.log")), errors: await read("errors.log") };
}

/** The last line of SIPp's -trace_stat file. */
function parseStats(csv: string): SippResult["stats"] | undefined {
  const [names = "", ...rows] = csv.trim().split("\n");
  const values = rows.at(-1)?.split(";");
  const column = (name: string) => Number(values?.[names.split(";").indexOf(name)]);
  return values === undefined
    ? undefined
    : { created: column("TotalCallCreated"), successful: column("SuccessfulCall(C)"), failed: column("FailedCall(C)") };
}

/** `::1` in the kernel's table: four words, each with its bytes reversed. */
const LOOPBACK_6 = "00000000000000000000000001000000";

/** Looks into the kernel's table: trying to bind would take the port away from SIPp. */
async function isBound(address: string, port: number): Promise<boolean> {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0").toUpperCase());
  const host = address === "::1" ? LOOPBACK_6 : octets.reverse().join("");
  const local = `${host}:${port.toString(16).padStart(4, "0").toUpperCase()}`;
  const tables = await Promise.all(["udp", "tcp", "udp6", "tcp6"].map((name) => `/proc/net/${name}`).map((file) => readFile(file, "utf8")));
  return tables.some((table) => table.includes(` ${local} `));
}
