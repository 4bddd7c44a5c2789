import { createAriHttp } from "../adapters/ari/http.ts";
import { endpointStates } from "../adapters/ari/endpoints.ts";
import { registrationStates } from "../adapters/ari/registrations.ts";
import { countedUnknownCalls, noteCountedCalls, programDialplan, runningRevision, unknownCalls } from "../adapters/asterisk-config/dialplan.ts";
import { addressesOf } from "../adapters/asterisk-config/host-addresses.ts";
import { programPjsip, runningPjsipRevision, unidentifiedOf } from "../adapters/asterisk-config/pjsip.ts";
import { readTrunkFolder, watchTrunkFolder } from "../adapters/asterisk-config/trunk-folder.ts";
import { messageOf } from "../domain/errors.ts";
import type { AriRest, Clock, Logger, RouterStore } from "../domain/ports.ts";
import type { RouterConfig } from "./config.ts";
import { createInstaller, type Installed } from "./installer.ts";
import type { RouterMetrics } from "./metrics.ts";
import { createRollout, type Rollout } from "./rollout.ts";
import type { RoutingTable } from "../domain/routing-table.ts";
import { createTrunkPart } from "./trunk-part.ts";
import { countUnknownCalls } from "./unknown-calls.ts";

export interface PodRollout {
  trigger(): void;
  /** What keeps the pod from taking calls, in words; empty when nothing does. */
  missing(): readonly string[];
  stop(): Promise<void>;
}

export interface PodRolloutDeps {
  readonly store: RouterStore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly table: () => RoutingTable | null;
  readonly metrics: Pick<RouterMetrics, "unknownCalls">;
  /** ARI was connected once. */
  readonly wasUp: () => boolean;
}

const VERIFY_MS = 5_000;
/** An Asterisk that hangs must not keep the pod from saying so. */
const READ_BACK_TIMEOUT_MS = 5_000;
/** An Asterisk that starts with its pod is up by then, or its absence is worth to be told. */
const START_MS = 60_000;

/** To read back, which is quick or has failed; and to reload, which may take minutes. */
interface Ari {
  readonly asked: AriRest;
  readonly told: AriRest;
}

/** Dialplan and trunks of one pod. Over HTTP: a reload takes up to seconds, and the event socket works one request off after the other. */
export function startPodRollout(config: RouterConfig, deps: PodRolloutDeps): PodRollout {
  const ari: Ari = { asked: createAriHttp({ ...config.ari, requestTimeoutMs: READ_BACK_TIMEOUT_MS }), told: createAriHttp(config.ari) };
  const { trunksDir } = config;
  const late = performance.now() + START_MS;
  const rollout: Rollout = createRollout({
    pod: config.pod,
    store: deps.store,
    logger: deps.logger,
    routing: () => deps.table()?.revision ?? null,
    trunks: trunksDir === null ? null : trunkPart({ ...config, trunksDir }, deps, ari),
    dialplan: dialplanPart(config, deps, ari),
    started: () => deps.wasUp() || performance.now() > late,
    verifyMs: VERIFY_MS,
  });
  const folder = trunksDir === null ? null : watchFolder(trunksDir, config.pollMs, () => rollout.trigger());
  return {
    trigger: () => rollout.trigger(),
    missing: () => missingIn(rollout.seen, trunksDir !== null),
    stop: async () => {
      folder?.stop();
      await rollout.stop();
    },
  };
}

function missingIn(seen: Rollout["seen"], withTrunks: boolean): readonly string[] {
  return [
    ...((seen?.running ?? null) === null ? ["no dialplan is verified yet"] : []),
    ...(withTrunks && seen?.trunks?.loaded !== true ? ["no trunks are verified yet"] : []),
  ];
}

function dialplanPart({ asteriskConfigDir }: RouterConfig, { store, logger, clock, metrics }: PodRolloutDeps, ari: Ari): () => Promise<Installed> {
  const inAsterisk = {
    refused: () => unknownCalls(ari.asked),
    counted: () => countedUnknownCalls(ari.asked),
    note: (count: number) => noteCountedCalls(ari.asked, count),
  };
  const counted = () => countUnknownCalls(inAsterisk, metrics.unknownCalls).catch((error: unknown) => logger.debug({ error: messageOf(error) }, "refused calls could not be counted"));
  const installer = createInstaller(
    {
      name: "dialplan",
      wanted: async (known) => {
        const hash = await store.dialplanHash();
        return hash === null || hash === known ? null : store.dialplan();
      },
      running: () => runningRevision(ari.asked),
      program: async (revision) => {
        await counted();
        await programDialplan({ dir: asteriskConfigDir, ari: ari.told, revision });
        logger.info({ revision: revision.revision, hash: revision.hash }, "dialplan programmed and verified");
      },
    },
    { logger, clock },
  );
  return async () => {
    await counted();
    return installer.look();
  };
}

function trunkPart({ ari: { url, user, password }, asteriskConfigDir, trunksDir }: RouterConfig & { readonly trunksDir: string }, { logger, clock, table }: PodRolloutDeps, ari: Ari) {
  return createTrunkPart({
    logger,
    clock,
    read: () => readTrunkFolder(trunksDir),
    running: () => runningPjsipRevision(ari.asked),
    program: (content) => programPjsip({ dir: asteriskConfigDir, ari: ari.told, content }),
    unidentified: (endpoints) => unidentifiedOf(ari.asked, endpoints),
    addressesOf,
    states: () => endpointStates(ari.asked),
    registrations: () => registrationStates({ url, user, password, requestTimeoutMs: READ_BACK_TIMEOUT_MS }),
    trunks: () => table()?.trunks.values() ?? [],
  });
}

/** A folder may appear later, or be replaced with all that was watched in it: it is watched anew from time to time. */
function watchFolder(dir: string, everyMs: number, listener: () => void): { stop(): void } {
  const watch = watchTrunkFolder(dir, listener);
  watch.ensure();
  const timer = setInterval(() => watch.ensure(), everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      watch.stop();
    },
  };
}
