import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Credentials, Declared, IdleObject } from "../../src/domain/ports.ts";
import { API_VERSION, type AnyResource } from "../../src/domain/resources.ts";
import { Statuses } from "../../src/domain/statuses.ts";
import { compileWorld, WorldCompiler, type World } from "../../src/domain/world.ts";
import { aDestination, aPool, aRule, aTrunk } from "./builders.ts";

const NOW = new Date("2026-06-01T12:00:00Z");

function asResource(kind: AnyResource["kind"], entry: { key: string; uid: string; createdAt: Date; spec: unknown }, labels = {}): AnyResource {
  const [namespace, name] = entry.key.split("/");
  const metadata = { namespace, name, uid: entry.uid, generation: 1, creationTimestamp: entry.createdAt.toISOString(), labels };
  return { apiVersion: API_VERSION, kind, metadata, spec: entry.spec } as AnyResource;
}

const range = (first: number, size: number) => [{ from: `+1202555${1000 + first}`, to: `+1202555${1000 + first + size}` }];
const credentials: readonly Credentials[] = [{ username: "a", password: "one" }, { username: "a", password: "two" }];

/** A place in the world and what stands there from now on; null takes it away. */
interface Edit {
  readonly place: string;
  readonly resource: AnyResource | null;
  /** It stands there and can't be read, or is being deleted. */
  readonly idle: "unreadable" | "terminating" | null;
  readonly login: Credentials | null;
}

const trunkEdit = fc.record({ n: fc.nat(1), port: fc.constantFrom(5060, 5070), secret: fc.boolean(), encrypted: fc.boolean() }).map(({ n, port, secret, encrypted }) => ({
  place: `trunk ${n}`,
  resource: asResource("SipTrunk", aTrunk({ port, mediaEncryption: encrypted ? "DTLS" : "None", ...(secret ? { authentication: { secretRef: { name: "login" } } } : {}) }, { key: `default/trunk-${n}` })),
}));
const poolEdit = fc.record({ n: fc.nat(3), first: fc.nat(30), size: fc.nat(20), trunk: fc.nat(2), label: fc.boolean() }).map(({ n, first, size, trunk, label }) => ({
  place: `pool ${n}`,
  resource: asResource("NumberPool", aPool({ ranges: range(first, size), trunkRef: { name: `trunk-${trunk}` } }, { key: `default/pool-${n}`, createdAt: `2026-01-0${n + 1}` }), label ? { team: "a" } : {}),
}));
const ruleEdit = fc.record({ n: fc.nat(3), pool: fc.nat(4), selector: fc.boolean(), trunk: fc.nat(2), priority: fc.nat(3) }).map(({ n, pool, selector, trunk, priority }) => {
  const refs = selector ? { poolSelector: { matchLabels: { team: "a" } }, poolRefs: undefined } : { poolRefs: [{ name: `pool-${pool}` }] };
  const spec = { ...refs, priority, destinations: [aDestination(), aDestination({ name: "far", trunkRef: { name: `trunk-${trunk}` } })] };
  return { place: `rule ${n}`, resource: asResource("RoutingRule", aRule(spec as Parameters<typeof aRule>[0], { key: `default/rule-${n}` })) };
});
const edit: fc.Arbitrary<Edit> = fc
  .tuple(fc.oneof(trunkEdit, poolEdit, ruleEdit), fc.constantFrom("put", "put", "put", "remove", "unreadable" as const, "terminating" as const), fc.constantFrom(null, ...credentials))
  .map(([{ place, resource }, what, login]) => ({ place, resource: what === "remove" ? null : resource, idle: what === "unreadable" || what === "terminating" ? what : null, login }));

interface Places {
  readonly readable: ReadonlyMap<string, AnyResource>;
  readonly unreadable: ReadonlyMap<string, IdleObject>;
  readonly terminating: ReadonlyMap<string, IdleObject>;
}

const NOWHERE: Places = { readable: new Map(), unreadable: new Map(), terminating: new Map() };

function after(before: Places, { place, resource, idle }: Edit): Places {
  const [readable, unreadable, terminating] = [new Map(before.readable), new Map(before.unreadable), new Map(before.terminating)];
  for (const places of [readable, unreadable, terminating]) places.delete(place);
  if (resource !== null && idle !== null) ({ unreadable, terminating })[idle].set(place, { kind: resource.kind, uid: resource.metadata.uid, key: `${resource.metadata.namespace}/${resource.metadata.name}` });
  else if (resource !== null) readable.set(place, resource);
  return { readable, unreadable, terminating };
}

function declaredOf(resources: ReadonlyMap<string, AnyResource>, login: Credentials | null, { unreadable, terminating }: Omit<Places, "readable"> = NOWHERE): Declared {
  return { resources: [...resources.values()], unreadable: [...unreadable.values()], terminating: [...terminating.values()], credentials: new Map(login === null ? [] : [["default/login", login]]), problems: [] };
}

/** To compare: the dialplan is text that is made when it is asked for. */
function rendered({ desired, ...rest }: World): object {
  return { ...rest, desired: { ...desired, dialplan: desired.dialplan([]) } };
}

describe("a world that changes", () => {
  it("any edits: it is what a world compiled from nothing would be", () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 40 }), (edits) => {
        const compiler = new WorldCompiler();
        let places = NOWHERE;
        for (const one of edits) {
          places = after(places, one);
          const declared = declaredOf(places.readable, one.login, places);
          expect(rendered(compiler.compile(declared))).toEqual(rendered(compileWorld(declared)));
        }
      }),
      { numRuns: 60 },
    );
  });

  const base = new Map([
    ["trunk", asResource("SipTrunk", aTrunk({}, { key: "default/trunk-0" }))],
    ...[0, 1].map((n): [string, AnyResource] => [`pool ${n}`, asResource("NumberPool", aPool({ ranges: range(20 * n, 9), trunkRef: { name: "trunk-0" } }, { key: `default/pool-${n}` }))]),
    ...[0, 1].map((n): [string, AnyResource] => [`rule ${n}`, asResource("RoutingRule", aRule({ poolRefs: [{ name: `pool-${n}` }] }, { key: `default/rule-${n}` }))]),
  ]);
  const newPool = (n: number, size: number) => asResource("NumberPool", aPool({ ranges: range(20 * n, size), trunkRef: { name: "trunk-0" } }, { key: `default/pool-${n}` }));
  const newRule = asResource("RoutingRule", aRule({ poolRefs: [{ name: "pool-0" }], priority: 77 }, { key: "default/rule-0" }));

  it.each<[string, readonly [string, AnyResource][], readonly string[]]>([
    ["nothing", [], []],
    ["a rule", [["rule 0", newRule]], ["default/rule-0"]],
    ["a pool", [["pool 1", newPool(1, 5)]], ["default/pool-1"]],
  ])("a change of %s makes no other entry a new object, and says nothing new of the others", (_, edits, changed) => {
    const compiler = new WorldCompiler();
    const statuses = new Statuses();
    const entries = ({ desired }: World) => [...desired.pools, ...desired.rules, ...desired.trunks];
    const observe = (declared: Declared, world: World, running: string) =>
      statuses.observe({ resources: declared.resources, world, pods: [{ pod: "a", running, error: null, routing: null, trunks: null }], totals: {}, now: NOW });
    const first = declaredOf(base, null);
    const before = compiler.compile(first);
    const saidBefore = observe(first, before, before.desired.dialplan([]).hash);
    const second = declaredOf(new Map([...base, ...edits]), null);
    const now = compiler.compile(second);
    // The pod still runs what it ran.
    const saidNow = observe(second, now, before.desired.dialplan([]).hash);
    expect(entries(now).filter((entry) => !entries(before).includes(entry)).map(({ key }) => key)).toEqual(changed);
    expect(saidNow.filter((status) => !saidBefore.includes(status)).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(changed);
    expect(now.desired.dialplan === before.desired.dialplan).toBe(!changed.includes("default/pool-1"));
  });

  it("objects that can't be read are compared once a pass, however many rules there are", () => {
    const rules = new Map(Array.from({ length: 4_000 }, (_, n) => [`rule ${n}`, asResource("RoutingRule", aRule({ poolRefs: [{ name: "pool-0" }] }, { key: `default/rule-${n}` }))]));
    const lost = new Map(Array.from({ length: 1_000 }, (_, n): [string, IdleObject] => [`pool ${n}`, { kind: "NumberPool", uid: `uid-${n}`, key: `default/lost-${n}` }]));
    const milliseconds = (unreadable: Places["unreadable"]) => {
      const compiler = new WorldCompiler();
      const declared = declaredOf(new Map([...base, ...rules]), null, { ...NOWHERE, unreadable });
      const passes = [1, 2, 3, 4, 5, 6].map(() => {
        const startedAt = performance.now();
        compiler.compile(declared);
        return performance.now() - startedAt;
      });
      // The first one works everything out.
      return Math.min(...passes.slice(1));
    };
    // With a look at each of them for each rule it is more than ten times as much.
    expect(milliseconds(lost)).toBeLessThan(5 * milliseconds(new Map()) + 5);
  });
});
