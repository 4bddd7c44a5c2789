import { afterEach, describe, expect, test, vi } from "vitest";

import type { KubeClient } from "../../../src/adapters/kubernetes/client.ts";
import { Elector, type ElectorOptions } from "../../../src/adapters/kubernetes/election.ts";
import { leaseClient } from "../../../src/adapters/kubernetes/lease.ts";
import { startWire } from "../../harness/kube-proxy.ts";
import { eventually } from "../../harness/process.ts";
import { silent } from "../../harness/logger.ts";
import { clientOf, eachWithControlPlane } from "./world.ts";

const LIMIT_MS = 60_000;
vi.setConfig({ testTimeout: 2 * LIMIT_MS });

/** As short as a busy machine bears; 15, 10 and 2 s are the defaults. */
const TIMES = { leaseDurationSeconds: 3, renewDeadlineSeconds: 2, retryPeriodSeconds: 0.3 } as const;
const HOUR_MS = 3_600_000;

interface Term {
  readonly identity: string;
  readonly transitions: number;
  readonly from: number;
  to: number;
}

const control = eachWithControlPlane({ definitions: false });
let name = "";
let leases = 0;
let terms: Term[] = [];

afterEach(async () => {
  await control.close();
  expectOneLeaderAtATime();
  terms = [];
});

/** Whatever happened in a test: no two terms at once, and each later one under a larger number. */
function expectOneLeaderAtATime(): void {
  const inOrder = terms.toSorted((a, b) => a.from - b.from);
  for (const [index, term] of inOrder.entries()) {
    const before = inOrder[index - 1];
    if (before === undefined) continue;
    expect(term.from, `${term.identity} began before ${before.identity} had ended`).toBeGreaterThanOrEqual(before.to);
    expect(term.transitions).toBeGreaterThan(before.transitions);
  }
}

function aLease(): void {
  leases += 1;
  name = `operator-${leases}`;
}

interface Candidacy extends Partial<ElectorOptions> {
  readonly client?: KubeClient;
  /** How far its clock is off. */
  readonly skewMs?: number;
}

/** A candidate whose terms are written down. */
function candidate(identity: string, { client = control.direct, skewMs = 0, ...options }: Candidacy = {}): Elector {
  const elector = new Elector({
    lease: leaseClient(client, { namespace: "default", name }),
    identity,
    logger: silent,
    clock: { now: () => new Date(Date.now() + skewMs) },
    onStartedLeading: ({ transitions }) => void terms.push({ identity, transitions, from: performance.now(), to: Infinity }),
    onStoppedLeading: () => {
      const term = terms.findLast((one) => one.identity === identity);
      if (term !== undefined) term.to = performance.now();
    },
    ...TIMES,
    ...options,
  });
  control.closing(() => elector.stop());
  elector.start();
  return elector;
}

async function leading(...candidates: readonly Elector[]): Promise<Elector> {
  return eventually("a leader", () => candidates.find((one) => one.isLeader), LIMIT_MS);
}

async function stored(): Promise<{ spec: { holderIdentity?: string; leaseTransitions: number; renewTime: string } }> {
  return JSON.parse(await control.kube.mustKubectl(["get", "lease", name, "-o", "json"])) as Awaited<ReturnType<typeof stored>>;
}

function overlaps(): string[] {
  const inOrder = terms.toSorted((a, b) => a.from - b.from);
  return inOrder.filter((term, index) => term.from < (inOrder[index - 1]?.to ?? 0)).map(({ identity }) => `two leaders: ${identity}`);
}

describe("one leads", () => {
  test("of three that begin together, and the API server says who", async () => {
    aLease();
    const all = ["a", "b", "c"].map((identity) => candidate(identity));
    await leading(...all);
    await eventually("all know the leader", () => all.every((one) => one.leader !== null), LIMIT_MS);
    const { spec } = await stored();
    expect(all.filter((one) => one.isLeader).length).toBeLessThanOrEqual(1);
    expect(["a", "b", "c"]).toContain(spec.holderIdentity);
  });

  test("and when it stops, gives the lease away first, so that the next one need not wait for its end", async () => {
    aLease();
    const first = candidate("first");
    await leading(first);
    const second = candidate("second", { leaseDurationSeconds: 30 });
    await eventually("the second one knows the first", () => second.leader === "first", LIMIT_MS);
    const healedAt = performance.now();
    await first.stop();
    await leading(second);
    const rightAfterMs = performance.now() - healedAt;
    control.outcomes.push({ fault: "leader stops", lost: overlaps(), rightAfterMs, how: "gives the Lease away; the next try takes it (asks every 0.3 s here, 2 s by default)" });
    expect(rightAfterMs).toBeLessThan(29_000);
    expect(first.isLeader).toBe(false);
    expect(terms.at(-1)?.identity).toBe("second");
  });
});

describe("a leader that can't be reached", () => {
  test.each([
    ["clocks that agree", 0],
    ["a clock two hours ahead of the other", 2 * HOUR_MS],
    ["a clock two hours behind the other", -2 * HOUR_MS],
  ])("steps down before the next one begins: %s", async (clocks, skewMs) => {
    aLease();
    await using wire = await startWire(control.kube.url);
    const first = candidate("first", { client: clientOf(control.kube.kubeconfig, { server: wire.url }) });
    await leading(first);
    const second = candidate("second", { skewMs });
    await eventually("the second one knows the first", () => second.leader === "first", LIMIT_MS);
    const healedAt = performance.now();
    wire.freeze();
    await leading(second);
    control.outcomes.push({
      fault: `leader cut off, ${clocks}`,
      lost: overlaps(),
      rightAfterMs: performance.now() - healedAt,
      how: "the Lease is seen unchanged for its whole duration (3 s here, 15 s by default)",
    });
    expect(first.isLeader).toBe(false);
    wire.cut();
    wire.thaw();
    wire.mend();
    await eventually("the first one knows the second", () => first.leader === "second", LIMIT_MS);
    expect(first.isLeader).toBe(false);
  });

  test("is said to lead by nobody once the lease is over", async () => {
    aLease();
    await using near = await startWire(control.kube.url);
    await using far = await startWire(control.kube.url);
    const first = candidate("first", { client: clientOf(control.kube.kubeconfig, { server: near.url }) });
    await leading(first);
    const second = candidate("second", { client: clientOf(control.kube.kubeconfig, { server: far.url }) });
    await eventually("the second one knows the first", () => second.leader === "first", LIMIT_MS);
    for (const wire of [near, far]) wire.freeze();
    await eventually("both know of nobody", () => first.leader === null && second.leader === null, LIMIT_MS);
    for (const wire of [near, far]) {
      wire.cut();
      wire.thaw();
      wire.mend();
    }
    await leading(first, second);
  });

  test("leads again after an API server that was down for longer than the lease", async () => {
    aLease();
    const only = candidate("only");
    await leading(only);
    await control.kube.stopApiServer("SIGKILL");
    await eventually("the end of the term", () => terms[0]?.to !== Infinity, LIMIT_MS);
    await control.kube.startApiServer();
    const healedAt = performance.now();
    await leading(only);
    control.outcomes.push({ fault: "API server down for longer than the Lease", lost: overlaps(), rightAfterMs: performance.now() - healedAt, how: "the term ended by itself; a new one begins" });
    expect(terms.at(-1)?.transitions).toBeGreaterThan(0);
  });
});

describe("a term ends", () => {
  test("when somebody deletes the Lease, and the next one has a larger number all the same", async () => {
    aLease();
    const only = candidate("only", { leastTransitions: () => Promise.resolve(41) });
    await leading(only);
    expect(terms.at(-1)?.transitions).toBe(41);
    await control.kube.mustKubectl(["delete", "lease", name]);
    const healedAt = performance.now();
    await eventually("a second term", () => terms.length === 2, LIMIT_MS);
    control.outcomes.push({ fault: "Lease deleted", lost: overlaps(), rightAfterMs: performance.now() - healedAt, how: "the term ends, a new Lease counts on" });
    expect(terms[1]?.transitions).toBe(42);
  });

  test("when somebody else writes his name into the Lease", async () => {
    aLease();
    const only = candidate("only");
    await leading(only);
    await control.kube.mustKubectl(["patch", "lease", name, "--type=merge", "-p", '{"spec":{"holderIdentity":"thief","leaseTransitions":7}}']);
    await eventually("the end of the term", () => terms[0]?.to !== Infinity, LIMIT_MS);
    await eventually("a term after his", () => terms.some(({ transitions }) => transitions === 8), LIMIT_MS);
  });

  test("when leading throws; then it is tried again", async () => {
    aLease();
    let tries = 0;
    const only = candidate("only", {
      onStartedLeading: ({ transitions }) => {
        terms.push({ identity: "only", transitions, from: performance.now(), to: Infinity });
        tries += 1;
        if (tries === 1) throw new Error("not yet");
      },
    });
    await eventually("a second term", () => terms.length === 2 && only.isLeader, LIMIT_MS);
  });

  test("and stopping waits for what ends it, before the Lease is free for others", async () => {
    aLease();
    let holderAtTheEnd: string | undefined;
    const only = candidate("only", {
      onStoppedLeading: async () => {
        holderAtTheEnd = (await stored()).spec.holderIdentity;
        const term = terms.at(-1);
        if (term !== undefined) term.to = performance.now();
      },
    });
    await leading(only);
    await only.stop();
    expect(holderAtTheEnd).toBe("only");
    expect((await stored()).spec.holderIdentity ?? "").toBe("");
  });
});

test.each([
  ["a lease shorter than the deadline", { leaseDurationSeconds: 1 }],
  ["a lease of half a second", { leaseDurationSeconds: 3.5 }],
  ["a deadline shorter than the wait between tries", { retryPeriodSeconds: 2.5 }],
  ["no wait between tries", { retryPeriodSeconds: 0 }],
])("times that can't work are refused: %s", (_what, times) => {
  aLease();
  expect(() => candidate("nobody", times)).toThrow(RangeError);
});
