import { randomUUID } from "node:crypto";

import fc from "fast-check";
import { expect, test } from "vitest";

import type { NumberPoolAssignment } from "../../../src/domain/api.generated.ts";
import { decideClaim, leaseFrom, mergeLeases, release, stateOf, type Lease, type PoolNumber } from "../../domain/lease-model.ts";
import type { ClaimResult, E164, Uuid } from "../../../src/domain/types.ts";
import { meet } from "../../harness/meet.ts";
import { aDesiredPool, aRequest, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

const VISITORS = 5;
/**
 * Lease, cool-down and presence last whole minutes. Each step that lets time pass adds minutes and one second, at most 30 of them: so
 * no end ever comes within a second of a decision, and the milliseconds between the model's clock and the server's decide nothing.
 */
const PASSES = [1, 61, 421, 961, 1801];
const MAX_STEPS = 30;
const TOLERANCE_MS = 900;

type Step =
  | { readonly type: "claim"; readonly visitors: readonly number[] }
  | { readonly type: "release" | "identify" | "heartbeat" | "offline"; readonly visitor: number }
  | { readonly type: "service"; readonly number: number }
  | { readonly type: "pass"; readonly seconds: number };

const visitor = fc.nat(VISITORS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("claim" as const), visitors: fc.array(visitor, { minLength: 1, maxLength: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("pass" as const), seconds: fc.constantFrom(...PASSES) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("release" as const), visitor }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("identify" as const, "heartbeat" as const, "offline" as const), visitor }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("service" as const), number: fc.nat(2) }) },
);

/** The model knows one number of a prospect: another one is held by the same person under this name. */
const superseded = (prospect: Uuid) => `${prospect} superseded`;

interface Identity {
  readonly prospect: Uuid;
  readonly device: Uuid;
}

const ONLINE_SECONDS = 60;

/** What lease-model.ts says, with its own clock. Numbers that were superseded are remembered by the holder's name with a mark. */
class Model {
  numbers: PoolNumber[] = [0, 1, 2].map((n) => ({ did: did(n), inService: true, lease: null }));
  /** All time that was let pass, in milliseconds. */
  passed = 0;
  now = Date.now();
  readonly prospects: Uuid[];
  readonly onlineUntil = new Map<number, number>();
  readonly assignment: NumberPoolAssignment;
  #person: Uuid | null = null;
  readonly #age: readonly Uuid[];

  constructor(identities: readonly Identity[], assignment: NumberPoolAssignment) {
    this.prospects = identities.map(({ prospect }) => prospect);
    this.#age = [...this.prospects];
    this.assignment = assignment;
  }

  /** Every step is later than the one before. */
  tick(): void {
    this.now = Math.max(this.now + 1, Date.now() + this.passed);
  }

  claim(visitors: readonly number[]): readonly (E164 | null)[] {
    // In one batch: what is held first, for all; then what is free; then what the pool reclaims.
    const order = [...new Set(visitors.map((v) => this.prospects[v]!))];
    const given = new Map<Uuid, E164 | null>();
    for (const keeps of [true, false]) {
      for (const prospect of order) this.#claimOne(prospect, keeps, given);
    }
    return visitors.map((v) => given.get(this.prospects[v]!) ?? null);
  }

  #claimOne(prospect: Uuid, keeps: boolean, given: Map<Uuid, E164 | null>): void {
    if (given.has(prospect)) return;
    const at = new Date(this.now);
    const decision = decideClaim(this.numbers, { prospect, at, assignment: this.assignment, busy: this.#busy() });
    const isKept = decision.type === "Renewed" || decision.type === "Honoured" || decision.type === "Returned";
    if (isKept !== keeps) return;
    given.set(prospect, "did" in decision ? decision.did : null);
    if ("lease" in decision) this.#set(decision.did, decision.lease);
  }

  #busy(): Set<Uuid> {
    const online = [...this.onlineUntil].filter(([, until]) => until > this.now).map(([v]) => this.prospects[v]!);
    return new Set(online.flatMap((prospect) => [prospect, superseded(prospect)]));
  }

  #set(number: E164, lease: Lease): void {
    this.numbers = this.numbers.map((each) => (each.did === number ? { ...each, lease } : each));
  }

  #of(prospect: Uuid): readonly (PoolNumber & { readonly lease: Lease })[] {
    return this.numbers.filter((each): each is PoolNumber & { readonly lease: Lease } => each.lease?.holder.split(" ")[0] === prospect);
  }

  release(v: number): void {
    const others = this.prospects.some((prospect, other) => other !== v && prospect === this.prospects[v]);
    for (const each of this.#of(this.prospects[v]!)) this.#set(each.did, release(each.lease, new Date(this.now), this.assignment, others));
  }

  heartbeat(v: number): void {
    this.onlineUntil.set(v, this.now + ONLINE_SECONDS * 1000);
    const full = this.now + this.assignment.leaseSeconds * 1000;
    for (const each of this.#of(this.prospects[v]!)) {
      const fades = each.inService && each.lease.holder === this.prospects[v] && stateOf(each, new Date(this.now)) === "Leased" && each.lease.leasedUntil.getTime() < full;
      const { leasedUntil, freeAt } = leaseFrom(new Date(this.now + ONLINE_SECONDS * 1000), each.lease.holder, this.assignment, null);
      if (fades) this.#set(each.did, { ...each.lease, leasedUntil, freeAt });
    }
  }

  /** All log-ins are of one person. */
  identify(v: number): void {
    const [known, prospect] = [this.#person, this.prospects[v]!];
    if (known === null) this.#person = prospect;
    if (known === null || known === prospect) return;
    const survivor = this.#age.indexOf(known) < this.#age.indexOf(prospect) ? known : prospect;
    this.#supersede(known, prospect);
    for (const each of [...this.#of(known), ...this.#of(prospect)]) {
      this.#set(each.did, { ...each.lease, holder: each.lease.holder.includes(" ") ? superseded(survivor) : survivor });
    }
    this.prospects.forEach((each, index) => {
      if (each === known || each === prospect) this.prospects[index] = survivor;
    });
    this.#person = survivor;
  }

  #supersede(a: Uuid, b: Uuid): void {
    const at = new Date(this.now);
    const current = (prospect: Uuid) => this.numbers.find((each) => each.inService && each.lease?.holder === prospect);
    const [mine, yours] = [current(a), current(b)];
    if (!mine?.lease || !yours?.lease) return;
    const [live, other] = [stateOf(mine, at) === "Leased", stateOf(yours, at) === "Leased"];
    const older = mergeLeases({ did: mine.did, leasedAt: mine.lease.leasedAt }, { did: yours.did, leasedAt: yours.lease.leasedAt }).kept.did;
    // Of two that were claimed in one batch, and ended at the same moment, the smaller number.
    const smaller = mine.did < yours.did ? mine : yours;
    const latest = Math.max(mine.lease.leasedUntil.getTime(), yours.lease.leasedUntil.getTime());
    const later = [smaller, mine, yours].find(({ lease }) => lease?.leasedUntil.getTime() === latest)?.did;
    const kept = live === other ? (live ? older : later) : live ? mine.did : yours.did;
    const ending = kept === mine.did ? yours : mine;
    this.#set(ending.did, { ...ending.lease!, holder: superseded(ending.lease!.holder) });
  }

  /** Puts a number out of service or back in. One that comes back to a holder of another counts no more, unless it alone lives. */
  service(n: number): void {
    const back = this.numbers[n]!;
    const at = new Date(this.now);
    const present = this.numbers.find((each) => each !== back && each.inService && each.lease !== null && each.lease.holder === back.lease?.holder);
    this.numbers = this.numbers.map((each) => (each === back ? { ...each, inService: !each.inService } : each));
    if (back.inService || back.lease === null || present === undefined) return;
    const wins = stateOf(back, at) === "Leased" && stateOf(present, at) !== "Leased";
    const loser = wins ? present : back;
    this.#set(loser.did, { ...loser.lease!, holder: superseded(loser.lease!.holder) });
  }
}

async function realStep(of: Step, identities: readonly Identity[], model: Model): Promise<readonly ClaimResult[]> {
  const { stores } = world;
  const who = "visitor" in of ? { prospect: model.prospects[of.visitor]!, device: identities[of.visitor]!.device } : { prospect: "", device: "" };
  if (of.type === "claim") return stores.claims.claim(of.visitors.map((v) => aRequest(model.prospects[v]!, { device: identities[v]!.device })));
  if (of.type === "release") await stores.claims.release([SALES], { device: who.device, isOnlyPage: true });
  if (of.type === "heartbeat") await stores.presence.heartbeat([who.device], ONLINE_SECONDS);
  if (of.type === "offline") await stores.presence.offline([who.device]);
  if (of.type === "identify") await stores.prospects.identify({ site: "shop", subject: "ann", ...who });
  if (of.type === "pass") await world.pass(of.seconds);
  return [];
}

function modelStep(of: Step, model: Model): readonly (E164 | null)[] {
  model.tick();
  switch (of.type) {
    case "claim":
      return model.claim(of.visitors);
    case "release":
      model.release(of.visitor);
      return [];
    case "heartbeat":
      model.heartbeat(of.visitor);
      return [];
    case "offline":
      model.onlineUntil.delete(of.visitor);
      return [];
    case "identify":
      model.identify(of.visitor);
      return [];
    case "service":
      model.service(of.number);
      return [];
    case "pass":
      model.passed += of.seconds * 1000;
      return [];
  }
}

async function compare(model: Model): Promise<void> {
  const rows = await world.rows<{ did: string; in_service: boolean; superseded: boolean; prospect_id: Uuid | null; leased_until: Date | number; free_at: Date | number }>(
    "select did, in_service, superseded, prospect_id, leased_until, free_at from number order by did",
  );
  for (const [n, row] of rows.entries()) {
    const { lease, inService } = model.numbers[n]!;
    expect([row.in_service, row.prospect_id, row.superseded]).toEqual([inService, lease?.holder.split(" ")[0] ?? null, lease?.holder.includes(" ") ?? false]);
    if (lease === null) continue;
    for (const [stored, expected] of [[row.leased_until, lease.leasedUntil], [row.free_at, lease.freeAt]] as const) {
      expect(Math.abs(Number(stored) + model.passed - expected.getTime())).toBeLessThan(TOLERANCE_MS);
    }
  }
}

/** Two numbers of one batch end at the same moment before their prospects turn out to be one. */
const LAPSED_TOGETHER: Step[] = [
  { type: "claim", visitors: [0, 4] },
  { type: "pass", seconds: 1801 },
  { type: "identify", visitor: 0 },
  { type: "identify", visitor: 4 },
  { type: "pass", seconds: 1 },
  { type: "service", number: 0 },
  { type: "claim", visitors: [0] },
  { type: "claim", visitors: [0] },
];

test.each([
  ["LeavePage", { onExhausted: { type: "LeavePage" as const } }],
  ["ReclaimOldest", { onExhausted: { type: "ReclaimOldest" as const } }],
])("Postgres lends numbers as the model does, whatever happens in whatever order (%s)", { timeout: 180_000 }, async (_, options) => {
  const lists = fc.array(step, { minLength: 5, maxLength: MAX_STEPS });
  await fc.assert(
    fc.asyncProperty(lists, async (steps) => {
      await world.rows("truncate pool, number, association, call, live_leg, device, person, prospect cascade");
      const poolOf = (numbers: readonly PoolNumber[]) => aDesiredPool({ ...options, owned: numbers.flatMap((each, n) => (each.inService ? [[n, n] as const] : [])) });
      const identities: Identity[] = [];
      for (let v = 0; v < VISITORS; v += 1) identities.push({ prospect: randomUUID(), device: randomUUID() });
      for (const identity of identities) await meet(world.database.pool, [identity]);
      const model = new Model(identities, poolOf([]).spec.assignment);
      await world.apply(poolOf(model.numbers));
      for (const each of steps) {
        const results = await realStep(each, identities, model);
        const expected = modelStep(each, model);
        expect(results.map((result) => (result.status === "assigned" ? result.did : null))).toEqual(expected);
        if (each.type === "service") await world.apply(poolOf(model.numbers));
        await compare(model);
      }
    }),
    { numRuns: 80, examples: [[LAPSED_TOGETHER]] },
  );
});
