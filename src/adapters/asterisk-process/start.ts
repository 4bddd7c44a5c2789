import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { ExpectedError } from "../../domain/errors.ts";
import { type Exit, exitOf, onPath, terminate } from "../../shared/child-process.ts";
import { type AsteriskConfiguration, type ConfigurationSettings, writeConfiguration } from "./configuration.ts";
import { assertCanListen, type Listener } from "./listen-check.ts";
import type { AsteriskLocation } from "./locate.ts";
import { fixedTransports, hostAndPort, type SipListening, sipListeners } from "./transports.ts";

export interface AsteriskSettings extends ConfigurationSettings {
  readonly location: AsteriskLocation;
}

/** A running Asterisk that belongs to this process and ends with it, even when this process is killed. */
export interface RunningAsterisk {
  readonly ari: AsteriskConfiguration["ari"];
  readonly ami: AsteriskConfiguration["ami"];
  /** What the router writes lives here: `pjsip.d/*.conf` and `extensions.d/*.conf`. */
  readonly configDir: string;
  readonly logFile: string;
  readonly pid: number;
  /** From spawn to "fully booted". */
  readonly bootMs: number;
  /** Runs one command of Asterisk's console and answers its output. Costs a process: not for a call's path. */
  cli(command: string): Promise<string>;
  /** SIGTERM (calls end with BYE), SIGKILL after 5 s. Resolves when the process is gone; may be called again. */
  stop(): Promise<void>;
  /** Sends any signal, for tests of crashes. */
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
}

const BOOT_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const run = promisify(execFile);

/**
 * Renders the configuration, starts Asterisk in the foreground as the present user and waits until it is fully booted.
 *
 * @throws ExpectedError PortInUse, PermissionDenied or InvalidInput for an address that can't be listened on;
 *   Unavailable when Asterisk ends or does not boot within 30 s, with the end of its log
 */
export async function startAsterisk(settings: AsteriskSettings): Promise<RunningAsterisk> {
  await assertCanListen(listeners(settings));
  const configuration = await writeConfiguration(settings);
  const startedAt = performance.now();
  const child = await launch(settings.location, configuration, join(settings.dir, "log/stdout.log"));
  const exited = exitOf(child);
  const cli = (command: string) => console(settings.location, configuration, command);
  const stop = () => terminate(child, exited, { signal: "SIGTERM", killAfterMs: STOP_TIMEOUT_MS });
  try {
    await waitUntilBooted(configuration, cli, exited);
    await assertTransports(settings, cli);
  } catch (error) {
    await stop();
    throw error;
  }
  const { ari, ami, configDir, logFile } = configuration;
  const bootMs = Math.round(performance.now() - startedAt);
  return { ari, ami, configDir, logFile, pid: child.pid ?? -1, bootMs, cli, stop, exited, kill: (signal) => void child.kill(signal) };
}

function listeners(settings: AsteriskSettings): Listener[] {
  const { httpPort, amiPort } = settings;
  return [
    ...sipListeners(settings),
    { transport: "tcp", address: "127.0.0.1", port: httpPort, purpose: "ARI" },
    ...(amiPort === undefined ? [] : [{ transport: "tcp", address: "127.0.0.1", port: amiPort, purpose: "AMI" } as const]),
  ];
}

/** `setpriv --pdeathsig` has the kernel kill Asterisk when the thread that started it dies, whatever it died of (prctl(2)). */
async function launch(location: AsteriskLocation, configuration: AsteriskConfiguration, outputFile: string): Promise<ChildProcess> {
  const guard = onPath("setpriv") ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];
  const [program, ...rest] = [...guard, ...location.command, "-f", "-C", configuration.file];
  const output = await open(outputFile, "a", 0o600);
  try {
    const child = spawn(program, rest, { stdio: ["ignore", output.fd, output.fd], cwd: configuration.runDir });
    if (guard.length === 0) {
      process.once("exit", () => child.kill("SIGKILL"));
    }
    return child;
  } finally {
    await output.close();
  }
}

async function console(location: AsteriskLocation, configuration: AsteriskConfiguration, command: string): Promise<string> {
  const [program, ...rest] = location.command;
  const { stdout } = await run(program, [...rest, "-C", configuration.file, "-rx", command], { timeout: 20_000, maxBuffer: 64 << 20 });
  return stdout;
}

async function waitUntilBooted(
  configuration: AsteriskConfiguration,
  cli: RunningAsterisk["cli"],
  exited: Promise<Exit>,
): Promise<void> {
  const gone = exited.then(() => "gone" as const);
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const state = existsSync(join(configuration.runDir, "asterisk.ctl")) ? bootState(cli) : sleep(20, "starting" as const);
    const seen = await Promise.race([state, gone]);
    if (seen === "booted") {
      return;
    }
    if (seen === "gone") {
      throw await notBooted("Asterisk ended while it started", configuration);
    }
  }
  throw await notBooted(`Asterisk was not ready within ${BOOT_TIMEOUT_MS / 1000} s`, configuration);
}

/** The console refuses connections until early start-up is done, and waits for the rest itself. */
async function bootState(cli: RunningAsterisk["cli"]): Promise<"booted" | "starting"> {
  const answer = await cli("core waitfullybooted").catch(() => "");
  return answer.includes("fully booted") ? "booted" : sleep(20, "starting" as const);
}

async function notBooted(what: string, configuration: AsteriskConfiguration): Promise<Error> {
  const logs = [configuration.logFile, join(configuration.logFile, "../stdout.log")];
  const texts = await Promise.all(logs.map((file) => readFile(file, "utf8").catch(() => "")));
  const tail = texts.flatMap((text) => text.trim().split("\n").slice(-5)).filter((line) => line !== "");
  return new ExpectedError("Unavailable", `${what}: ${tail.join(" | ") || "it logged nothing"}`);
}

/** A socket taken between the check and the bind is only logged by Asterisk. */
async function assertTransports(settings: SipListening, cli: RunningAsterisk["cli"]): Promise<void> {
  const lines = (await cli("pjsip show transports")).split("\n").map((line) => line.trim().split(/\s+/));
  for (const transport of fixedTransports(settings)) {
    const bound = hostAndPort(transport);
    if (!lines.some((words) => words.includes(transport.name) && words.includes(bound))) {
      throw new ExpectedError("PortInUse", `Asterisk has no SIP socket on ${bound}/${transport.protocol}`, { field: "port" });
    }
  }
}
