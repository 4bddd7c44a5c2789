
import { createStores } from "../../src/adapters/postgres/stores.ts";
import type { SipTrunkSpec } from "../../src/domain/api.generated.ts";
import type { Credentials, Declared, ResourceSource, TrunkConfiguration, TrunkSink } from "../../src/domain/ports.ts";
import { API_VERSION, type AnyResource } from "../../src/domain/resources.ts";
import type { ResourceStatus } from "../../src/domain/statuses.ts";
import { newTrunkRevision, TRUNK_FILE, trunkFile } from "../../src/domain/trunk-file.ts";
import { Reconciler } from "../../src/operator/reconciler.ts";
import { aPool, aRule, aTrunk } from "../domain/builders.ts";
import { startCarrier, type TestCarrier } from "../harness/carrier.ts";
import { silent } from "../harness/logger.ts";
import { podsReady, startPods, type TestPod } from "../harness/pods.ts";
import { freshDatabase, type TestDatabase } from "../harness/postgres.ts";
import { eventually } from "../harness/process.ts";
import { runSipp, startSippServer, type SippCall, type SippResult, type SippServer } from "../harness/sipp.ts";

/** The reconciler, one database and three pods, all real; resources and the Secret come from the test. */
export interface RolloutWorld extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly pods: readonly TestPod[];
  readonly carrier: TestCarrier;
  readonly desks: { readonly first: SippServer; readonly second: SippServer };
  /** What is declared; `changed` after writing to it. With `limited` the rule's destination takes so many calls at a time, the others go to `next`. */
  declared: { ruleTo: SippServer; limited?: { readonly calls: number; readonly next: SippServer }; pool: Parameters<typeof aPool>[0]; trunk: Partial<SipTrunkSpec>; password: string };
  changed(): Promise<void>;
  /** Pods whose mounted Secret is not updated, whatever the operator writes: a kubelet that is cut off. */
  readonly cutOff: Set<string>;
  /** What every pod's Secret is to hold; for tests that damage one. */
  secret(): Readonly<Record<string, string>>;
  condition(kind: AnyResource["kind"], type: string): string;
  /** Waits until the condition begins with this `Status/Reason message`. */
  becomes(kind: AnyResource["kind"], type: string, expected: string | RegExp): Promise<void>;
  status(kind: AnyResource["kind"]): ResourceStatus["status"];
  /** @param load one short call by default */
  call(pod: TestPod, load?: Pick<SippCall, "calls" | "rate" | "holdMs">): Promise<SippResult>;
}

export const DID = "+12025550101";

export async function startRolloutWorld(): Promise<RolloutWorld> {
  const parts = new AsyncDisposableStack();
  try {
    return await start(parts);
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

async function start(parts: AsyncDisposableStack): Promise<RolloutWorld> {
  const database = await freshDatabase();
  parts.defer(() => database.drop());
  const carrier = parts.use(await startCarrier());
  const first = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const second = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const pods = await startPods(3, { databaseUrl: database.url });
  parts.defer(() => Promise.all(pods.map((pod) => pod.stop())).then(() => undefined));
  const declared: RolloutWorld["declared"] = { ruleTo: first, pool: {}, trunk: {}, password: "first" };
  const secret = fanOut(pods);
  let seen: readonly ResourceStatus[] = [];
  const reconciler = new Reconciler({
    source: sourceOf(() => resourcesOf(declared, carrier), () => new Map([["default/login", { username: "dialplane", password: declared.password }]])),
    store: createStores(database.pool, database.url, silent).operator,
    trunks: secret.sink,
    clock: { now: () => new Date() },
    logger: silent,
    onStatus: (statuses) => (seen = statuses),
  });
  await reconciler.start();
  parts.defer(() => reconciler.stop());
  await podsReady(pods);
  const status: RolloutWorld["status"] = (kind) => seen.find((resource) => resource.kind === kind)?.status ?? { conditions: [] };
  const condition: RolloutWorld["condition"] = (kind, type) => {
    const found = status(kind).conditions.find((other) => other.type === type);
    return found === undefined ? "" : `${found.status}/${found.reason} ${found.message}`;
  };
  return {
    database,
    pods,
    carrier,
    desks: { first, second },
    declared,
    changed: () => reconciler.request(),
    cutOff: secret.cutOff,
    secret: secret.data,
    status,
    condition,
    becomes: async (kind, type, expected) => {
      const holds = () => (typeof expected === "string" ? condition(kind, type).startsWith(expected) : expected.test(condition(kind, type)));
      await eventually(`${kind} ${type} ${String(expected)}`, holds, 30_000).catch((error: unknown) => {
        throw new Error(`it is: ${condition(kind, type)}\n${pods.map((pod) => pod.log().slice(-1_500)).join("\n\n")}`, { cause: error });
      });
    },
    call: (pod, load = { holdMs: 200 }) =>
      runSipp({ scenario: "call-answered.xml", target: `${pod.sipAddress}:${pod.sipPort}`, to: DID, from: "+13125550123", address: carrier.address, timeoutMs: 20_000, ...load }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function resourcesOf({ ruleTo, limited, pool, trunk, password }: RolloutWorld["declared"], carrier: TestCarrier): readonly AnyResource[] {
  const at = (name: string, desk: SippServer) => ({ name, sipUri: uriOf(desk), weight: 1, ringTimeoutSeconds: 10 });
  const destinations = limited === undefined ? [at("desk", ruleTo)] : [{ ...at("desk", ruleTo), maxConcurrentCalls: limited.calls }, at("next", limited.next)];
  const spec: Partial<SipTrunkSpec> = { host: carrier.address, sourceAddresses: [`${carrier.address}/32`], codecs: ["PCMU"], keepAlive: { optionsIntervalSeconds: 5 }, ...trunk };
  const authentication = password === "" ? {} : { authentication: { secretRef: { name: "login" } } };
  return [
    asResource("SipTrunk", aTrunk({ ...spec, ...authentication })),
    asResource("NumberPool", aPool(pool)),
    asResource("RoutingRule", aRule({ destinations })),
  ];
}

export function uriOf({ address, port }: SippServer): string {
  return `sip:desk@${address}:${port};transport=udp`;
}

function asResource(kind: AnyResource["kind"], entry: { key: string; uid: string; createdAt: Date; spec: unknown }): AnyResource {
  const [namespace, name] = entry.key.split("/");
  const metadata = { namespace, name, uid: entry.uid, generation: 1, creationTimestamp: entry.createdAt.toISOString() };
  return { apiVersion: API_VERSION, kind, metadata, spec: entry.spec } as AnyResource;
}

function sourceOf(resources: () => readonly AnyResource[], credentials: () => ReadonlyMap<string, Credentials>): ResourceSource {
  const read = (): Declared => ({ resources: resources(), credentials: credentials(), problems: [] });
  return { read: () => Promise.resolve(read()), watch: () => Promise.resolve(() => Promise.resolve()) };
}

/** API server and kubelets in one: what the operator writes is mounted into every pod that is not cut off. */
function fanOut(pods: readonly TestPod[]) {
  const cutOff = new Set<string>();
  let present: { readonly revision: string; readonly trunks: TrunkConfiguration } | null = null;
  const data = () => (present === null ? {} : { [TRUNK_FILE]: trunkFile(present) });
  const sink: TrunkSink = {
    write: async (trunks) => {
      if (present?.trunks.content !== trunks.content) {
        present = { revision: newTrunkRevision(), trunks };
        for (const pod of pods.filter(({ name }) => !cutOff.has(name))) await pod.trunks.publish(data());
      }
      return { revision: present.revision };
    },
  };
  return { sink, cutOff, data };
}
