import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { assertCanListen } from "../src/adapters/asterisk-process/listen-check.ts";
import { locateAsterisk } from "../src/adapters/asterisk-process/locate.ts";
import { messageOf } from "../src/domain/errors.ts";
import type { Logger } from "../src/domain/ports.ts";
import { createLogger } from "../src/shared/logger.ts";
import { Shutdown } from "../src/shared/shutdown.ts";
import { readStandaloneConfig, type StandaloneConfig } from "../src/standalone/config.ts";
import { startStandalone, type Standalone } from "../src/standalone/standalone.ts";
import { demoPages, SITE } from "./pages.ts";
import { startPstn } from "./pstn/pstn.ts";
import type { Pstn } from "./pstn/types.ts";
import { scratchDatabase } from "./scratch-database.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const QUICKSTART = join(ROOT, "examples/quickstart");
/** Of the pages that it allows. */
const QUICKSTART_PORT = 8080;

/** What the telephones of the simulated network do; the rules of examples/quickstart/ name these numbers. */
export const TELEPHONES = {
  "+12025550141": "busy", // the front desk: its rule goes on to the back office
  "+12025550142": "answer", // the pricing desk
  "+12025550143": "answer", // the back office
  "+12025550144": "no-answer", // the German desk
  "+12025550199": "answer", // the default destination
} as const;

/** The carrier of examples/quickstart/trunk.yaml. */
const CARRIER = { address: "127.0.0.2", port: 5060 };

export interface DemoWorld {
  readonly standalone: Standalone;
  readonly pstn: Pstn;
  readonly url: string;
  /** Logs what could not be stopped cleanly. */
  stop(): Promise<void>;
}

/**
 * Standalone with the quick start's manifests and a simulated telephone network, on loopback. Data is made anew each time: ten numbers
 * with leases of half an hour would not last for many runs.
 */
export async function startDemoWorld(env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<DemoWorld> {
  const dataDir = join(ROOT, ".cache/demo");
  const secret = randomBytes(32).toString("base64url");
  const given = readStandaloneConfig({
    DIALPLANE_MANIFESTS: QUICKSTART,
    DIALPLANE_DATA_DIR: dataDir,
    DIALPLANE_SITE_SECRETS: `${SITE}=${secret}`,
    DIALPLANE_LOG_LEVEL: "error",
    ...env,
  });
  const logger = createLogger(given.logLevel, { app: "demo" });
  const shutdown = new Shutdown();
  try {
    // Before anything is removed: another demo may be running with these data.
    await assertCanListen([
      { transport: "tcp", address: given.httpAddress, port: given.httpPort, purpose: "HTTP" },
      { transport: "udp", ...CARRIER, purpose: "the simulated telephone network" },
    ]);
    await rm(dataDir, { recursive: true, force: true });
    const database = await scratchDatabase(given.databaseUrl, logger);
    if (database !== null) shutdown.add("the scratch database", () => database.drop());
    const manifests = await withOriginOf(given, join(dataDir, "manifests"));
    const config = { ...given, manifests, databaseUrl: database?.url };
    // The carrier first: the trunk's first OPTIONS must find it.
    say("starting a simulated telephone network");
    const pstn = await startPstn({
      location: await locateAsterisk(env),
      dir: join(dataDir, "pstn"),
      ...CARRIER,
      productAddress: config.sip.sipAddress,
      productPort: config.sip.sipPort,
      destinations: TELEPHONES,
    });
    shutdown.add("the telephone network", () => pstn.stop());
    say(`starting Postgres and Asterisk, loading ${relative(ROOT, manifests)}/`);
    const standalone = await startStandalone(config, { logger, env, pages: demoPages({ secret, pstn }) });
    shutdown.add("standalone", () => stopped(standalone));
    return { standalone, pstn, url: standalone.url, stop: () => stopAll(shutdown, logger) };
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/**
 * The quick start allows pages of the port that the demo listens on when it isn't told another: for another, a copy of it does.
 * @returns the folder to load: as given, or the copy
 */
async function withOriginOf({ manifests, httpPort }: StandaloneConfig, copies: string): Promise<string> {
  if (manifests !== QUICKSTART || httpPort === QUICKSTART_PORT) return manifests;
  await mkdir(copies, { recursive: true });
  for (const name of await readdir(manifests)) {
    const text = await readFile(join(manifests, name), "utf8");
    await writeFile(join(copies, name), text.replaceAll(`:${QUICKSTART_PORT}`, `:${httpPort}`));
  }
  return copies;
}

async function stopAll(shutdown: Shutdown, logger: Logger): Promise<void> {
  for (const error of await shutdown.run()) logger.error({ error: messageOf(error) }, "not stopped cleanly");
}

async function stopped(standalone: Standalone): Promise<void> {
  const errors = await standalone.stop();
  if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.message).join("; "));
}
