import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { dialString, INBOUND_CONTEXT, outgoingEndpoint, PJSIP_REVISION_AOR } from "../../src/domain/asterisk-names.ts";
import { renderDialplan } from "../../src/domain/dialplan.ts";
import { renderPjsip } from "../../src/domain/pjsip.ts";
import type { AriRest, TrunkEntry } from "../../src/domain/ports.ts";
import { newTrunkRevision, TRUNK_FILE, trunkFile } from "../../src/domain/trunk-file.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { aDestination, aPool, aRule, aTrunk, e164 } from "../domain/builders.ts";
import { startTestAsterisk, type TestAsterisk } from "../harness/asterisk.ts";
import { freeTcpPort, loopbackAddress } from "../harness/ports.ts";
import { mountedSecret } from "../harness/mounted-secret.ts";
import { eventually, startProcess, temporaryFolder, type TestProcess } from "../harness/process.ts";
import { type FarEnds, startFarEnds } from "./sip-ends.ts";

export const WAYS = ["native", "naive", "dialplane"] as const;
/** Who connects a call: Asterisk's own Dial() in the dialplan, ari-client used as one does at first, or the router. */
export type Way = (typeof WAYS)[number];

export interface CallWorld {
  readonly ends: Readonly<Record<Way, FarEnds>>;
  /** Numbers that can be called, whatever the way. */
  readonly numbers: readonly string[];
  readonly pids: { readonly asterisk: number; readonly naive: number; readonly dialplane: number; readonly postgres: number };
  /** Resolves when Asterisk holds no channel and no bridge any more. @returns how many of them nobody ended within 20 s */
  clear(): Promise<number>;
  /** Calls so far that the router connected by the rule; the others were taken by the dialplan's default. */
  routed(): Promise<number>;
}

const NAIVE_APP = "bench-naive";
const FIRST = 12_025_550_100;
const NUMBERS = 100;
const LAST_CALLS_MS = 20_000;
const logger = createLogger("error");

/**
 * One Asterisk for all three, each with a carrier of its own that is configured alike; Postgres, router and naive application as processes of their own.
 *
 * @param asking the router's rule goes by who is calling, so that the second call waits for the look-up
 */
export async function withCallWorld<T>({ asking }: { readonly asking: boolean }, use: (world: CallWorld) => Promise<T>): Promise<T> {
  await using parts = new AsyncDisposableStack();
  const folder = await temporaryFolder("bench-call");
  parts.defer(() => folder.remove());
  const callee = { native: await loopbackAddress(), naive: await loopbackAddress(), dialplane: await loopbackAddress() };
  const trunks = { native: await carrier("native"), naive: await carrier("naive"), dialplane: await carrier("dialplane") };
  const asterisk = parts.use(await startTestAsterisk({ files: { "pjsip.d/bench-native.conf": pjsip(trunks.native), "pjsip.d/bench-naive.conf": pjsip(trunks.naive), "extensions.d/bench.conf": dialplan(trunks, callee) } }));
  const postgres = await startPostgres({ dataDir: join(folder.path, "postgres"), logger });
  parts.defer(() => postgres.stop());
  const pool = connect(postgres.url, logger, { max: 2 });
  parts.defer(() => pool.end());
  await migrate(pool);
  await declare(createStores(pool, postgres.url, logger), trunks.dialplane, { destination: uri(callee.dialplane), asking });
  const naive = await startNaive(asterisk, dialString(uri(callee.naive), outgoingEndpoint(trunks.naive, uri(callee.naive))));
  parts.defer(() => naive.stop());
  const mounted = await mountedSecret(join(folder.path, "trunks"));
  const rendered = renderPjsip({ trunks: [trunks.dialplane], credentials: new Map() });
  await mounted.publish({ [TRUNK_FILE]: trunkFile({ revision: newTrunkRevision(), trunks: rendered }) });
  const router = await startRouter(asterisk, postgres.url, folder.path);
  parts.defer(() => router.stop());
  const ari = createAriHttp(asterisk.ari);
  const ends = async (way: Way) => parts.use(await startFarEnds(trunks[way].spec.host, callee[way], { address: asterisk.sipAddress, port: asterisk.sipPort }));
  return await use({
    ends: { native: await ends("native"), naive: await ends("naive"), dialplane: await ends("dialplane") },
    numbers: Array.from({ length: NUMBERS }, (_, index) => `+${FIRST + index}`),
    pids: { asterisk: asterisk.pid, naive: naive.pid, dialplane: router.pid, postgres: postgres.pid },
    clear: () => clear(ari),
    routed: async () => (await pool.query<{ count: number }>("select count(*)::int as count from call where rule_key = 'bench/desk' and ending = 'completed'")).rows[0]?.count ?? Number.NaN,
  });
}

async function carrier(name: Way): Promise<TrunkEntry> {
  return aTrunk({ host: await loopbackAddress(), codecs: ["PCMU"], keepAlive: { optionsIntervalSeconds: 0 } }, { key: `bench/${name}` });
}

function uri(address: string): string {
  return `sip:desk@${address}:5060;transport=udp`;
}

/** As the operator writes it; only the context that calls go to is the bench's. */
function pjsip(trunk: TrunkEntry): string {
  const { content } = renderPjsip({ trunks: [trunk], credentials: new Map() });
  const withoutMarker = content.slice(0, content.indexOf(`\n[${PJSIP_REVISION_AOR}]`));
  return withoutMarker.replace(new RegExp(`^(context *= *)${INBOUND_CONTEXT}$`, "gm"), `$1${trunk.key.replace("/", "-")}`);
}

function dialplan(trunks: Readonly<Record<Way, TrunkEntry>>, callee: Readonly<Record<Way, string>>): string {
  const endpoint = dialString(uri(callee.native), outgoingEndpoint(trunks.native, uri(callee.native))).replaceAll(";", "\\;");
  return [
    "[bench-native]",
    `exten => _+X.,1,Dial(${endpoint},30)`,
    " same => n,Hangup()",
    "[bench-naive]",
    `exten => _+X.,1,Stasis(${NAIVE_APP},inbound)`,
    " same => n,Hangup()",
    "",
  ].join("\n");
}

/** The second rule of three is the one that matches. */
async function declare(stores: ReturnType<typeof createStores>, trunk: TrunkEntry, { destination, asking }: { readonly destination: string; readonly asking: boolean }): Promise<void> {
  const range = { from: e164(`+${FIRST}`), to: e164(`+${FIRST + NUMBERS - 1}`) };
  const pool = { ...aPool({ ranges: [range], trunkRef: { name: "dialplane" }, defaultDestination: { sipUri: destination } }, { key: "bench/pool" }), generation: 1, owned: [range] };
  const destinations = [aDestination({ sipUri: destination })];
  const rule = (name: string, spec: Parameters<typeof aRule>[0]) =>
    aRule({ poolRefs: [{ name: "pool" }], destinations, ...spec }, { key: `bench/${name}`, pools: [pool.key] });
  const rules = [rule("abroad", { priority: 20, match: { callers: ["+49"] } }), rule("desk", { priority: 10, ...(asking ? { match: { attribution: ["None"] } } : {}) }), rule("rest", { priority: 0 })];
  const generated = <E>(entry: E) => ({ ...entry, generation: 1 });
  await stores.operator.apply({
    pools: [pool],
    rules: rules.map(generated),
    trunks: [generated(trunk)],
    dialplan: () => renderDialplan({ pools: [pool], trunks: [trunk] }),
  });
}

async function startNaive({ ari }: TestAsterisk, endpoint: string): Promise<TestProcess> {
  const program = startProcess([process.execPath, join(import.meta.dirname, "naive-app.ts"), new URL(ari.url).origin, ari.user, ari.password, NAIVE_APP, endpoint]);
  await eventually("the naive application listens", () => program.output().includes("READY"), 30_000);
  return program;
}

/** As in production: its own process, records spooled to disk, logging at `info` (to a file). */
async function startRouter(asterisk: TestAsterisk, databaseUrl: string, folder: string): Promise<TestProcess> {
  const healthPort = await freeTcpPort();
  await mkdir(join(folder, "spool"));
  const cli = join(import.meta.dirname, "../../src/cli.ts");
  const log = join(folder, "router.log");
  // Its log goes there as well: whoever reads it from a pipe is busy while calls are measured.
  const program = startProcess(["sh", "-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, process.execPath, cli, "router"], {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      DIALPLANE_POD: "bench-0",
      DIALPLANE_ARI_URL: asterisk.ari.url,
      DIALPLANE_ARI_USER: asterisk.ari.user,
      DIALPLANE_ARI_PASSWORD: asterisk.ari.password,
      DIALPLANE_ASTERISK_CONFIG_DIR: asterisk.configDir,
      DIALPLANE_TRUNKS_DIR: join(folder, "trunks"),
      DIALPLANE_SPOOL_DIR: join(folder, "spool"),
      DIALPLANE_HEALTH_PORT: String(healthPort),
    },
  });
  const ready = () => fetch(`http://127.0.0.1:${healthPort}/readyz`).then(({ ok }) => ok, () => false);
  await eventually("the router is ready", ready, 30_000).catch(async (error: unknown) => {
    throw new Error(await readFile(log, "utf8"), { cause: error });
  });
  return program;
}

async function clear(ari: AriRest): Promise<number> {
  const held = async () => {
    const [channels, bridges] = await Promise.all([ari.request("GET", "/channels"), ari.request("GET", "/bridges")]);
    return [...paths("/channels", channels), ...paths("/bridges", bridges)];
  };
  const isEmpty = await eventually("nothing held", async () => (await held()).length === 0, LAST_CALLS_MS).catch(() => false);
  if (isEmpty) return 0;
  const left = await held();
  await Promise.allSettled(left.map((path) => ari.request("DELETE", path)));
  await eventually("Asterisk without channels and bridges", async () => (await held()).length === 0, LAST_CALLS_MS);
  return left.length;
}

function paths(base: string, list: unknown): readonly string[] {
  return (list as readonly { readonly id: string }[]).map(({ id }) => `${base}/${encodeURIComponent(id)}`);
}
