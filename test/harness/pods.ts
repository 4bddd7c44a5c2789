import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Writable } from "node:stream";
import pg from "pg";
import { pino } from "pino";
import { Registry } from "prom-client";

import { createStores } from "../../src/adapters/postgres/stores.ts";
import { type Router, startRouter } from "../../src/router/router.ts";
import type { RouterConfig } from "../../src/router/config.ts";
import { startTestAsterisk, type TestAsterisk } from "./asterisk.ts";
import { mountedSecret, type MountedSecret } from "./mounted-secret.ts";
import { eventually, temporaryFolder } from "./process.ts";

/** What a pod of the StatefulSet is: an Asterisk on a loopback address of its own, a router beside it, a mounted Secret of trunks. */
export interface TestPod {
  readonly name: string;
  /** Of the pod; survives a restart of Asterisk. */
  readonly sipAddress: string;
  readonly sipPort: number;
  readonly trunks: MountedSecret;
  readonly asterisk: TestAsterisk;
  readonly router: Router;
  /** Everything the router logged, as lines of JSON. */
  log(): string;
  stopRouter(): Promise<void>;
  startRouter(): void;
  /** Kills Asterisk and starts it again on the same address and files. */
  stopAsterisk(): Promise<void>;
  startAsterisk(): Promise<void>;
  stop(): Promise<void>;
}

export interface PodOptions {
  /** Of the database that the routers share. */
  readonly databaseUrl: string;
  readonly namePrefix?: string;
  readonly pollMs?: number;
}

/** So many real Asterisks with routers in this process, on free addresses and ports, in one go. */
export async function startPods(count: number, options: PodOptions): Promise<readonly TestPod[]> {
  const pods: TestPod[] = [];
  try {
    for (let n = 0; n < count; n += 1) pods.push(await startPod(`${options.namePrefix ?? "asterisk"}-${n}`, options));
    return pods;
  } catch (error) {
    await Promise.all(pods.map((pod) => pod.stop()));
    throw error;
  }
}

export async function startPod(name: string, options: PodOptions): Promise<TestPod> {
  const folder = await temporaryFolder("pod");
  const trunks = await mountedSecret(join(folder.path, "trunks"));
  const own = { dir: join(folder.path, "asterisk"), ariPassword: randomBytes(16).toString("hex") };
  let asterisk = await startTestAsterisk(own);
  const { sipAddress, sipPort } = asterisk;
  const settings = { ...own, sipAddress, sipPort, httpPort: Number(new URL(asterisk.ari.url).port) };
  let running: RunningRouter | null = null;
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      written.push(chunk.toString("utf8"));
      done();
    },
  });
  const startThisRouter = () => {
    const config: RouterConfig = {
      pod: name,
      ari: asterisk.ari,
      asteriskConfigDir: asterisk.configDir,
      trunksDir: trunks.path,
      lookUpTimeoutMs: 250,
      pollMs: options.pollMs ?? 1_000,
    };
    running ??= runRouter(config, options.databaseUrl, sink);
  };
  const stopThisRouter = async () => {
    const stopping = running;
    running = null;
    await stopping?.stop();
  };
  startThisRouter();
  return {
    name,
    sipAddress,
    sipPort,
    trunks,
    get asterisk() {
      return asterisk;
    },
    get router() {
      if (running === null) throw new Error(`the router of ${name} is stopped`);
      return running.router;
    },
    log: () => written.join(""),
    startRouter: startThisRouter,
    stopRouter: stopThisRouter,
    stopAsterisk: () => asterisk.stop(),
    startAsterisk: async () => {
      asterisk = await startTestAsterisk(settings);
    },
    stop: async () => {
      await stopThisRouter();
      await asterisk.stop();
      await folder.remove();
    },
  };
}

interface RunningRouter {
  readonly router: Router;
  stop(): Promise<void>;
}

function runRouter(config: RouterConfig, databaseUrl: string, sink: Writable): RunningRouter {
  const logger = pino({ level: "debug" }, sink);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5 });
  pool.on("error", () => undefined);
  const store = createStores(pool, databaseUrl, logger).router;
  const router = startRouter(config, { store, logger, clock: { now: () => new Date() }, registry: new Registry() });
  return {
    router,
    stop: async () => {
      await router.stop();
      await pool.end();
    },
  };
}

/** All of them take calls. */
export async function podsReady(pods: readonly TestPod[]): Promise<void> {
  for (const pod of pods) {
    await eventually(`${pod.name} is ready`, () => pod.router.ready().ready, 30_000).catch((error: unknown) => {
      throw new Error(`${pod.name}: ${pod.router.ready().reason}\n${pod.log().slice(-4_000)}`, { cause: error });
    });
  }
}
