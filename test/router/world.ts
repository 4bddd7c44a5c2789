import { Registry } from "prom-client";
import { Writable } from "node:stream";
import { pino } from "pino";

import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { renderDialplan } from "../../src/domain/dialplan.ts";
import { type PjsipInput, renderPjsip } from "../../src/domain/pjsip.ts";
import type { NumberPoolSpec, RoutingRuleSpec, SipTrunkSpec } from "../../src/domain/api.generated.ts";
import type { AriRest, DialplanRevision, RuleEntry, Snapshot } from "../../src/domain/ports.ts";
import { startRouter, type Router } from "../../src/router/router.ts";
import type { RouterConfig } from "../../src/router/config.ts";
import { aPool, aRule, aTrunk, facts } from "../domain/builders.ts";
import { startTestAsterisk, type TestAsterisk } from "../harness/asterisk.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { eventually } from "../harness/process.ts";
import { runSipp, type SippCall, type SippResult } from "../harness/sipp.ts";
import { MemoryStore } from "./memory-store.ts";

export const DID = "+12025550101";
export const CALLER = "+13125550123";

export interface Rules {
  readonly rule?: Parameters<typeof aRule>[0] | null;
  /** Instead of `rule`. */
  readonly rules?: readonly RuleEntry[];
  readonly pool?: Partial<NumberPoolSpec>;
  readonly callerId?: Partial<SipTrunkSpec["callerId"]> | undefined;
  /** Limits of the trunk. */
  readonly limits?: Pick<SipTrunkSpec, "maxCallsPerSecond" | "maxConcurrentCalls">;
}

/** A real Asterisk with one trunk whose calls come from `carrier`, and rules that the test sets. */
export interface World {
  readonly asterisk: TestAsterisk;
  readonly ari: AriRest;
  readonly carrier: string;
  readonly config: RouterConfig;
  /** Sets rules of the store; the caller-ID profile is the router's part of the trunk and needs no reload. */
  state(rules: Rules): { snapshot: Snapshot; dialplan: DialplanRevision };
  call(options?: Partial<SippCall>): Promise<SippResult>;
  /** No channel and no bridge is left in Asterisk. */
  expectEmpty(): Promise<void>;
  stop(): Promise<void>;
}

export type WorldSettings = Partial<Parameters<typeof startTestAsterisk>[0]> & { readonly trunk?: Partial<SipTrunkSpec>; readonly credentials?: PjsipInput["credentials"] };

/** @param fallback SIP URI of the pool's default destination */
export async function startWorld(fallback: string, { trunk: spec = {}, credentials = new Map(), ...extra }: WorldSettings = {}): Promise<World> {
  const carrier = spec.host ?? (await loopbackAddress());
  const trunk = (callerId: Rules["callerId"] = {}) =>
    aTrunk({
      host: carrier,
      sourceAddresses: [`${carrier}/${carrier.includes(":") ? 128 : 32}`],
      keepAlive: { optionsIntervalSeconds: 0 },
      codecs: ["PCMU"],
      callerId: { from: "Tracking", pAssertedIdentity: "None", diversion: "None", ...callerId },
      ...spec,
    });
  let revision = 0;
  const state: World["state"] = ({ rule, rules: several, pool, callerId, limits }) => {
    revision += 1;
    const entry = aPool({ defaultDestination: { sipUri: fallback }, ...pool });
    const one = trunk(callerId);
    const trunks = [{ ...one, spec: { ...one.spec, ...limits } }];
    const rules = several ?? (rule === null || rule === undefined ? [] : [aRule(rule)]);
    const owned = [{ from: "+12025550100", to: "+12025550109" }];
    return {
      snapshot: { revision, mark: `mark of ${revision}`, pools: [entry], rules, trunks },
      dialplan: { revision, ...renderDialplan({ pools: [{ ...entry, owned }], trunks }) },
    };
  };
  const pjsip = renderPjsip({ trunks: [trunk()], credentials }).content;
  const asterisk = await startTestAsterisk({ ...extra, files: { "pjsip.d/trunks.conf": pjsip, ...extra.files } });
  const ari = createAriHttp(asterisk.ari);
  return {
    asterisk,
    ari,
    carrier,
    config: { pod: "pod-0", ari: asterisk.ari, asteriskConfigDir: asterisk.configDir, trunksDir: null, lookUpTimeoutMs: 250, pollMs: 200 },
    state,
    call: (options) =>
      runSipp({
        scenario: "call-answered.xml",
        target: `${asterisk.sipAddress}:${asterisk.sipPort}`,
        to: DID,
        from: CALLER,
        address: carrier,
        holdMs: 300,
        timeoutMs: 20_000,
        ...options,
      }),
    expectEmpty: () => expectEmpty(ari),
    stop: () => asterisk.stop(),
  };
}

async function expectEmpty(ari: AriRest): Promise<void> {
  const held = async () => [await ari.request("GET", "/channels"), await ari.request("GET", "/bridges")];
  await eventually("no channel and no bridge left", async () => (await held()).every((list) => Array.isArray(list) && list.length === 0), 8_000).catch(
    async (error: unknown) => {
      throw new Error(`still there: ${JSON.stringify(await held())}`, { cause: error });
    },
  );
}

export interface RunningRouter extends Router {
  readonly store: MemoryStore;
  readonly registry: Registry;
  /** Everything the router logged, as lines of JSON. */
  log(): string;
}

/** A router in this process, ready to take calls. */
export async function startTestRouter(world: World, rules: Rules): Promise<RunningRouter> {
  const { snapshot, dialplan } = world.state(rules);
  const store = new MemoryStore(snapshot, dialplan, () => Promise.resolve(facts().context));
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString("utf8"));
      done();
    },
  });
  const registry = new Registry();
  const router = startRouter(world.config, { store, logger: pino({ level: "debug" }, sink), clock: { now: () => new Date() }, registry });
  const running: RunningRouter = {
    ready: () => router.ready(),
    liveCalls: () => router.liveCalls(),
    drain: router.drain,
    stop: () => router.stop(),
    store,
    registry,
    log: () => written.join(""),
  };
  await eventually("the router is ready", () => running.ready().ready).catch(async (error: unknown) => {
    await router.stop();
    throw new Error(`${running.ready().reason}: ${running.log()}`, { cause: error });
  });
  return running;
}

/** Applies other rules and waits until the router has them. */
export async function setRules(world: World, router: RunningRouter, rules: Rules): Promise<void> {
  const state = world.state(rules);
  router.store.change(state);
  await eventually("the router has the new rules", () => router.log().includes(`"revision":${state.snapshot.revision},"pools"`));
  await eventually("the dialplan runs", () => router.store.reports.at(-1)?.running === state.dialplan.hash);
}

export function toUri(server: { readonly address: string; readonly port: number }): string {
  return `sip:desk@${server.address}:${server.port};transport=udp`;
}

export type RuleSpec = Partial<RoutingRuleSpec>;
