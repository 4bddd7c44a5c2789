import { describe, expect, it } from "vitest";
import { mayAsk } from "../../src/domain/origin.ts";
import type { Declared, PodReport } from "../../src/domain/ports.ts";
import { API_VERSION, type AnyResource } from "../../src/domain/resources.ts";
import { Statuses, statusesOf } from "../../src/domain/statuses.ts";
import { compileWorld, WorldCompiler } from "../../src/domain/world.ts";
import { aDestination, aPool, aReport, aRule, aTrunk } from "./builders.ts";

const NOW = new Date("2026-06-01T12:00:00Z");

function asResource(kind: AnyResource["kind"], entry: { key: string; uid: string; createdAt: Date; spec: unknown }): AnyResource {
  const [namespace, name] = entry.key.split("/");
  const metadata = { namespace, name, uid: entry.uid, generation: 1, creationTimestamp: entry.createdAt.toISOString() };
  return { apiVersion: API_VERSION, kind, metadata, spec: entry.spec } as AnyResource;
}
const trunk = (...args: Parameters<typeof aTrunk>) => asResource("SipTrunk", aTrunk(...args));
const pool = (...args: Parameters<typeof aPool>) => asResource("NumberPool", aPool(...args));
const rule = (...args: Parameters<typeof aRule>) => asResource("RoutingRule", aRule(...args));

function declared(...resources: AnyResource[]): Declared {
  return { resources, credentials: new Map(), problems: [] };
}

function conditionsOf(input: Declared, pods?: readonly PodReport[]): Record<string, string> {
  const world = compileWorld(input);
  const running = pods ?? [aReport({ pod: "pod-0", running: world.desired.dialplan([]).hash })];
  const statuses = statusesOf({ resources: input.resources, world, pods: running, totals: {}, previous: [], now: NOW });
  return Object.fromEntries(
    statuses.map(({ kind, metadata, status }) => [
      `${kind} ${metadata.name}`,
      status.conditions.map((condition) => `${condition.type}=${condition.status}/${condition.reason}`).join(" "),
    ]),
  );
}

const keys = (entries: readonly { readonly key: string }[]) => entries.map((entry) => entry.key);

describe("what follows from the declared resources", () => {
  it("puts a pool with its trunk and its rule into service", () => {
    const world = compileWorld(declared(rule(), pool(), trunk()));
    expect(keys(world.desired.pools)).toEqual(["default/sales"]);
    expect(keys(world.desired.rules)).toEqual(["default/rule"]);
    expect(keys(world.desired.trunks)).toEqual(["default/carrier"]);
    expect(world.desired.pools[0]?.owned).toEqual([{ from: "+12025550100", to: "+12025550109" }]);
    expect(world.trunks.endpoints).toHaveLength(1);
    expect(world.trunks.content).toContain(world.trunks.endpoints[0]);
  });

  it("gives the same dialplan for the same resources in any order", () => {
    const one = compileWorld(declared(rule(), pool(), trunk())).desired.dialplan([]).hash;
    expect(compileWorld(declared(trunk(), pool(), rule())).desired.dialplan([]).hash).toBe(one);
  });

  it("keeps a pool out of service until its trunk appears", () => {
    expect(compileWorld(declared(pool())).desired.pools).toEqual([]);
    expect(conditionsOf(declared(pool()))["NumberPool sales"]).toContain("ResolvedRefs=False/RefNotFound");
    expect(keys(compileWorld(declared(pool(), trunk())).desired.pools)).toEqual(["default/sales"]);
  });

  it("does not look for a trunk in another namespace", () => {
    const far = trunk({}, { key: "other/carrier" });
    expect(compileWorld(declared(pool(), far)).desired.pools).toEqual([]);
  });

  const login = { authentication: { secretRef: { name: "carrier-login" } } };
  const known = new Map([["default/carrier-login", { username: "dialplane", password: "hunter2-hunter2" }]]);
  const absent = "Secret default/carrier-login with the keys username and password does not exist";

  it.each([
    ["Disabled", "without authentication"],
    ["Enabled", "without authentication and registration"],
  ] as const)("keeps a trunk whose Secret is missing, and its pool, in service, and says so (registration %s)", (registration, without) => {
    const input = declared(pool(), rule(), trunk({ ...login, registration }));
    const world = compileWorld(input);
    expect([keys(world.desired.trunks), keys(world.desired.pools), keys(world.desired.rules)]).toEqual([["default/carrier"], ["default/sales"], ["default/rule"]]);
    expect(world.trunks.content).not.toMatch(/auth|registration/);
    expect(world.verdicts.trunks.get("default/carrier")?.secret?.message).toBe(`${absent}; meanwhile the trunk is used ${without}`);
    expect(conditionsOf(input)).toMatchObject({
      "SipTrunk carrier": expect.stringMatching(/ResolvedRefs=False\/RefNotFound Programmed=True.* Ready=False\/RefNotFound/) as unknown,
      "NumberPool sales": expect.stringContaining("Ready=True/Ready") as unknown,
      "RoutingRule rule": expect.stringContaining("Ready=True/Ready") as unknown,
    });
  });

  it("goes on with the credentials that a Secret held last, and says so", () => {
    const gone = { state: "Absent", message: "Secret default/carrier-login does not exist" } as const;
    const input = { ...declared(pool(), trunk(login)), credentials: known, secretFaults: new Map([["default/carrier-login", gone]]) };
    const world = compileWorld(input);
    expect(world.trunks.content).toContain("hunter2-hunter2");
    expect(world.verdicts.trunks.get("default/carrier")?.secret?.message).toBe(`${gone.message}; meanwhile the trunk is used with the credentials that were seen last`);
    expect(conditionsOf(input)["NumberPool sales"]).toContain("Ready=True/Ready");
  });

  it("says of a pool and a rule whose trunk can't be used that it can't, and not that there is none", () => {
    const input = declared(pool(), rule({ destinations: [aDestination({ trunkRef: { name: "carrier" } })] }), trunk({ host: "a;b" }));
    expect(compileWorld(input).verdicts.pools.get("default/sales")).toMatchObject({ missing: [], unusable: ["SipTrunk default/carrier"], inService: false });
    expect(conditionsOf(input)).toMatchObject({
      "NumberPool sales": expect.stringContaining("ResolvedRefs=False/RefNotUsable") as unknown,
      "RoutingRule rule": expect.stringContaining("ResolvedRefs=False/RefNotUsable") as unknown,
    });
  });

  it("says the same of what was stored under other definitions and can't be read", () => {
    const carrier = { uid: "of-the-trunk", kind: "SipTrunk", key: "default/carrier" } as const;
    const sales = { uid: "of-the-pool", kind: "NumberPool", key: "default/sales" } as const;
    const compiler = new WorldCompiler();
    const of = (...unreadable: readonly (typeof carrier | typeof sales)[]) => ({ ...declared(pool({}, { key: "default/other" }), rule()), unreadable });
    const missing = compiler.compile(of()).verdicts;
    expect(missing.pools.get("default/other")).toMatchObject({ missing: ["SipTrunk default/carrier"], unusable: [] });
    expect(missing.rules.get("default/rule")).toMatchObject({ missing: ["NumberPool default/sales"], unusable: [] });
    const { verdicts, desired } = compiler.compile(of(carrier, sales));
    expect(verdicts.pools.get("default/other")).toMatchObject({ missing: [], unusable: ["SipTrunk default/carrier"], inService: false });
    expect(verdicts.rules.get("default/rule")).toMatchObject({ missing: [], unusable: ["NumberPool default/sales"] });
    expect(desired.suspended).toEqual(expect.arrayContaining(["of-the-trunk", "of-the-pool"]));
    expect(conditionsOf(of(carrier, sales))).toMatchObject({
      "NumberPool other": expect.stringContaining("ResolvedRefs=False/RefNotUsable") as unknown,
      "RoutingRule rule": expect.stringContaining("ResolvedRefs=False/RefNotUsable") as unknown,
    });
  });

  it("names what is being deleted as such, and takes it for nothing else", () => {
    const terminating = [
      { uid: "of-the-trunk", kind: "SipTrunk", key: "default/carrier" },
      { uid: "of-the-pool", kind: "NumberPool", key: "default/sales" },
    ] as const;
    const compiler = new WorldCompiler();
    const rest = declared(pool({ sources: [{ attributes: [{ name: "gclid", type: "Exists" }], poolRef: { name: "sales" } }] }, { key: "default/other" }), rule());
    compiler.compile(rest);
    const { verdicts, desired } = compiler.compile({ ...rest, terminating });
    expect(verdicts.pools.get("default/other")).toMatchObject({ missing: [], unusable: [], terminating: ["SipTrunk default/carrier", "NumberPool default/sales"], inService: false });
    expect(verdicts.rules.get("default/rule")).toMatchObject({ missing: [], unusable: [], terminating: ["NumberPool default/sales"] });
    expect(desired.suspended).not.toContain("of-the-pool");
    expect(compiler.compile(rest).verdicts.rules.get("default/rule")).toMatchObject({ missing: ["NumberPool default/sales"], terminating: [] });
  });

  it("a password that changes makes no pool a new one", () => {
    const compiler = new WorldCompiler();
    const resources = declared(pool(), trunk(login));
    const before = compiler.compile({ ...resources, credentials: known });
    const after = compiler.compile({ ...resources, credentials: new Map([["default/carrier-login", { username: "dialplane", password: "another" }]]) });
    expect(after.trunks.content).not.toBe(before.trunks.content);
    expect(after.desired.pools).toBe(before.desired.pools);
    expect(after.verdicts.pools.get("default/sales")).toBe(before.verdicts.pools.get("default/sales"));
  });

  it("keeps a pool in service when a pool that its sources name is missing, and says which", () => {
    const sources = ["mail", "search", "mail"].map((name) => ({ attributes: [{ name: "utm_source", type: "Exists" as const }], poolRef: { name } }));
    const mail = pool({ numbers: ["+12025550120"] }, { key: "default/mail" });
    const input = declared(pool({ sources }), mail, trunk());
    const world = compileWorld(input);
    expect(keys(world.desired.pools)).toEqual(["default/sales", "default/mail"]);
    expect(world.verdicts.pools.get("default/sales")?.missing).toEqual(["NumberPool default/search"]);
    expect(conditionsOf(input)["NumberPool sales"]).toContain("ResolvedRefs=False/RefNotFound");
    const search = pool({ numbers: ["+12025550121"] }, { key: "default/search" });
    expect(conditionsOf(declared(pool({ sources }), mail, search, trunk()))["NumberPool sales"]).toContain("ResolvedRefs=True");
  });

  it("says of two trunks that share a source with other settings that they do, keeps both in service, and forgets it when they agree", () => {
    const compiler = new WorldCompiler();
    const sourceAddresses = ["192.0.2.0/24"];
    const others = [pool(), trunk({ sourceAddresses }), trunk({ host: "198.51.100.1" }, { key: "default/aside" })];
    const second = (codecs: readonly ("PCMU" | "PCMA" | "G722")[]) => trunk({ sourceAddresses: ["192.0.2.7/32"], codecs: [...codecs] }, { key: "other/second" });
    const input = declared(...others, second(["G722"]));
    const world = compiler.compile(input);
    expect(keys(world.desired.trunks)).toEqual(["default/carrier", "default/aside", "other/second"]);
    expect(keys(world.desired.pools)).toEqual(["default/sales"]);
    expect(conditionsOf(input)).toMatchObject({
      "SipTrunk carrier": expect.stringMatching(/^Accepted=False\/SourceConflict ResolvedRefs=True.* Programmed=True.* Ready=False\/SourceConflict$/) as unknown,
      "SipTrunk second": expect.stringContaining("Accepted=False/SourceConflict") as unknown,
      "SipTrunk aside": expect.stringContaining("Accepted=True/Accepted") as unknown,
      "NumberPool sales": expect.stringContaining("Ready=True/Ready") as unknown,
    });
    const again = compiler.compile(declared(...others.slice(1), second(["G722"])));
    expect(again.verdicts.trunks.get("default/carrier")).toBe(world.verdicts.trunks.get("default/carrier"));
    const agreed = compiler.compile(declared(...others, second(["PCMU", "PCMA"])));
    expect([...agreed.verdicts.trunks.values()].flatMap(({ sources }) => sources)).toEqual([]);
  });

  it("keeps a pool in service that lists a number twice, or allows an origin that no page can have", () => {
    const twice = pool({ numbers: ["+12025550101"], ranges: [{ from: "+12025550100", to: "+12025550109" }], allowedOrigins: ["http://localhost:80800", "https://shop.example"] });
    const world = compileWorld(declared(twice, trunk()));
    expect(world.desired.pools.map(({ owned }) => owned)).toEqual([[{ from: "+12025550100", to: "+12025550109" }]]);
    expect(conditionsOf(declared(twice, trunk()))["NumberPool sales"]).toMatch(/^Accepted=True\/AcceptedWithWarnings .*Ready=True\/Ready$/);
    const entry = world.desired.pools[0]!;
    expect(["https://shop.example", "http://localhost", "http://localhost:8080", "null"].map((origin) => mayAsk(entry, origin))).toEqual([true, false, false, false]);
  });

  it("puts a trunk's credentials into its configuration and nowhere else", () => {
    const world = compileWorld({ ...declared(pool(), trunk(login)), credentials: known });
    expect(world.trunks.content).toContain("hunter2-hunter2");
    expect(JSON.stringify([world.desired, [...world.verdicts.trunks]])).not.toContain("hunter2");
  });

  it("leaves out only the destination whose trunk is missing", () => {
    const two = rule({ destinations: [aDestination({ name: "here" }), aDestination({ name: "there", trunkRef: { name: "gone" } })] });
    const world = compileWorld(declared(two, pool(), trunk()));
    expect(world.desired.rules[0]?.spec.destinations.map(({ name }) => name)).toEqual(["here"]);
    expect(world.verdicts.rules.get("default/rule")?.missing).toEqual(["SipTrunk default/gone"]);
  });

  it("does not enforce a rule of which no destination is left", () => {
    const lost = rule({ destinations: [aDestination({ trunkRef: { name: "gone" } })] });
    expect(compileWorld(declared(lost, pool(), trunk())).desired.rules).toEqual([]);
  });

  it("does not enforce a rule with an unknown time zone and says so", () => {
    const schedule = { timeZone: "Mars/Olympus", windows: [{ days: ["Monday" as const], from: "09:00", to: "17:00" }] };
    const input = declared(rule({ match: { schedule } }), pool(), trunk());
    expect(compileWorld(input).desired.rules).toEqual([]);
    expect(conditionsOf(input)["RoutingRule rule"]).toContain("Accepted=False/Invalid");
  });

  it("lets the older of two pools keep a number and the younger serve its others", () => {
    const younger = pool({ ranges: [{ from: "+12025550105", to: "+12025550119" }] }, { key: "default/younger", createdAt: "2026-02-01" });
    const input = declared(younger, pool(), trunk(), rule({ poolRefs: [{ name: "sales" }, { name: "younger" }] }));
    expect(compileWorld(input).verdicts.rules.get("default/rule")?.pools).toEqual([
      { key: "default/sales", accepted: true, inService: true },
      { key: "default/younger", accepted: false, inService: true },
    ]);
    expect(compileWorld(input).desired.pools.find(({ key }) => key === "default/younger")?.owned).toEqual([{ from: "+12025550110", to: "+12025550119" }]);
    expect(conditionsOf(input)).toMatchObject({
      "NumberPool sales": expect.stringContaining("Accepted=True/Accepted") as unknown,
      "NumberPool younger": expect.stringContaining("Accepted=False/NumberConflict") as unknown,
    });
    expect(conditionsOf(declared(younger, trunk()))["NumberPool younger"]).toContain("Accepted=True/Accepted");
  });
});

describe("the status of what is declared", () => {
  const world = declared(rule(), pool(), trunk());

  it("is Ready when every pod was verified to run the revision", () => {
    expect(conditionsOf(world)["NumberPool sales"]).toBe(
      "Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs Programmed=True/Programmed Ready=True/Ready",
    );
  });

  it("is not Ready while a pod runs another revision, and says what the pod said", () => {
    const { hash } = compileWorld(world).desired.dialplan([]);
    const pods = [aReport({ pod: "a", running: hash }), aReport({ pod: "b", running: "older", error: "Asterisk refused" })];
    expect(conditionsOf(world, pods)["NumberPool sales"]).toContain("Programmed=False/ProgrammingFailed Ready=False/ProgrammingFailed");
  });

  it("is unknown before any pod reported", () => {
    expect(conditionsOf(world, [])["NumberPool sales"]).toContain("Programmed=Unknown/NoPods");
  });

  describe("of a pool and a rule waits for the trunks that they name", () => {
    const trunks = (running: string | null, error: string | null = null) => ({ running, loaded: running !== null, error, reachability: {} });
    const report = (running: string, of: ReturnType<typeof trunks>) => [aReport({ pod: "a", running, routing: 5, trunks: of })];
    const named = declared(rule({ destinations: [aDestination({ trunkRef: { name: "carrier" } })] }), rule({}, { key: "default/unnamed" }), pool(), trunk());
    const hash = compileWorld(named).desired.dialplan([]).hash;
    const written = { dialplan: hash, routing: 5, history: 0, trunks: "first", trunksError: null };
    const programmed = (statuses: ReturnType<typeof statusesOf>) =>
      Object.fromEntries(statuses.map(({ metadata, status }) => [metadata.name, status.conditions.find(({ type }) => type === "Programmed")]));
    const look = (of: ReturnType<typeof trunks>, running = hash) =>
      programmed(statusesOf({ resources: named.resources, world: compileWorld(named), written, pods: report(running, of), totals: {}, previous: [], now: NOW }));

    it("and no longer", () => {
      const message = `0 of 1 pods run revision ${hash.slice(0, 12)} with the trunks that it names; waiting for a`;
      expect(look(trunks("older"))).toMatchObject({ sales: { status: "False", reason: "Pending", message }, rule: { status: "False", message }, unnamed: { status: "True" } });
      expect(look(trunks("older", "no transport"))).toMatchObject({ sales: { reason: "ProgrammingFailed", message: expect.stringContaining("a: no transport") as unknown } });
      expect(look(trunks("first"))).toMatchObject({ sales: { status: "True" }, rule: { status: "True" }, carrier: { status: "True" } });
    });

    it("and says nothing of trunks while it is the dialplan that a pod does not run", () => {
      const message = `0 of 1 pods run revision ${hash.slice(0, 12)}; waiting for a`;
      expect(look(trunks("first"), "an older one")).toMatchObject({ sales: { status: "False", reason: "Pending", message }, rule: { status: "False" } });
    });

    it("and for no others", () => {
      const [compiler, statuses] = [new WorldCompiler(), new Statuses()];
      const observe = (input: Declared, more: object, of: ReturnType<typeof trunks>) =>
        programmed(statuses.observe({ resources: input.resources, world: compiler.compile(input), written: { ...written, ...more }, pods: report(hash, of), totals: {}, now: NOW }));
      expect(observe(named, {}, trunks("first"))).toMatchObject({ sales: { status: "True" } });
      const second = { ...named, resources: [...named.resources, trunk({}, { key: "default/second" })] };
      expect(observe(second, { trunks: "second" }, trunks("first"))).toMatchObject({ sales: { status: "True" }, rule: { status: "True" }, second: { status: "False" } });
    });

    it("and not for a change of them, until they were out of service", () => {
      const [compiler, statuses] = [new WorldCompiler(), new Statuses()];
      const observe = (port: number, host: string, revision: string, of: ReturnType<typeof trunks>) => {
        const input = declared(pool(), trunk({ port, host }));
        const world = compiler.compile(input);
        const { hash: dialplan } = world.desired.dialplan([]);
        return programmed(statuses.observe({ resources: input.resources, world, written: { ...written, dialplan, trunks: revision }, pods: report(dialplan, of), totals: {}, now: NOW }));
      };
      expect(observe(5060, "192.0.2.7", "first", trunks("first"))).toMatchObject({ sales: { status: "True" } });
      expect(observe(5070, "192.0.2.7", "second", trunks("first"))).toMatchObject({ sales: { status: "True" }, carrier: { status: "False" } });
      expect(observe(5070, "a;b", "third", trunks("first"))).toMatchObject({ sales: { reason: "RefsNotResolved" } });
      expect(observe(5070, "192.0.2.7", "fourth", trunks("first"))).toMatchObject({ sales: { reason: "Pending" } });
      expect(observe(5070, "192.0.2.7", "fourth", trunks("fourth"))).toMatchObject({ sales: { status: "True" } });
    });

    it("that could not be written, and then for what was written", () => {
      const [compiler, statuses] = [new WorldCompiler(), new Statuses()];
      const observe = (more: object, of: ReturnType<typeof trunks>) =>
        programmed(statuses.observe({ resources: named.resources, world: compiler.compile(named), written: { ...written, ...more }, pods: report(hash, of), totals: {}, now: NOW }));
      const refused = observe({ trunks: null, trunksError: "too large" }, trunks("older"));
      expect(refused).toMatchObject({ sales: { reason: "ProgrammingFailed", message: expect.stringContaining("too large") as unknown }, unnamed: { status: "True" } });
      expect(observe({}, trunks("older"))).toMatchObject({ sales: { reason: "Pending" } });
      expect(observe({}, trunks("first"))).toMatchObject({ sales: { status: "True" } });
    });
  });

  it("counts a pod that has a smaller revision than once, when those between are lost", () => {
    const statuses = new Statuses();
    const compiled = compileWorld(world);
    const { hash } = compiled.desired.dialplan([]);
    const programmed = (routing: number, history: number) => {
      const written = { dialplan: hash, routing, history, trunks: null, trunksError: null };
      const said = statuses.observe({ resources: world.resources, world: compiled, written, pods: [aReport({ pod: "a", running: hash, routing })], totals: {}, now: NOW });
      return said.find(({ metadata }) => metadata.name === "sales")?.status.conditions.find(({ type }) => type === "Programmed")?.reason;
    };
    expect(programmed(8, 0)).toBe("Programmed");
    // The same history: what the pool came with is in none of them.
    expect(programmed(5, 0)).toBe("Pending");
    expect(programmed(5, 1)).toBe("Programmed");
  });

  it("moves a transition time only when a status flips", () => {
    const compiled = compileWorld(world);
    const look = (pods: readonly PodReport[], previous: ReturnType<typeof statusesOf>, now: Date) =>
      statusesOf({ resources: world.resources, world: compiled, pods, totals: {}, previous, now });
    const ready = [aReport({ pod: "a", running: compiled.desired.dialplan([]).hash })];
    const first = look(ready, [], NOW);
    const second = look(ready, first, new Date("2026-06-01T12:00:30Z"));
    expect(second).toEqual(first);
    const third = look([], second, new Date("2026-06-01T12:01:00Z"));
    const times = (list: typeof first) => Object.fromEntries(list[1]!.status.conditions.map((c) => [c.type, c.lastTransitionTime]));
    expect(times(third)).toMatchObject({ Accepted: "2026-06-01T12:00:00Z", Programmed: "2026-06-01T12:01:00Z" });
  });

  it("of a rule names its pools in a line", () => {
    const pools = ["a", "b", "c", "d", "e"].map((name, i) => pool({ numbers: [`+1202555030${i}`] }, { key: `default/${name}` }));
    const summary = (count: number) => {
      const input = declared(rule({ poolSelector: {} }), ...pools.slice(0, count), trunk());
      return statusesOf({ resources: input.resources, world: compileWorld(input), pods: [], totals: {}, previous: [], now: NOW })[0]?.status;
    };
    expect([0, 1, 3, 5].map(summary)).toMatchObject([{ poolSummary: "" }, { poolSummary: "a" }, { poolSummary: "a, b, c" }, { poolSummary: "a, b, c and 2 more" }]);
  });

  it("counts a pool's numbers and how much of it is in use", () => {
    const totals = { "default/sales": { total: 10, leased: 5, coolingDown: 2, available: 3, retiring: 1 } };
    const statuses = statusesOf({ resources: world.resources, world: compileWorld(world), pods: [], totals, previous: [], now: NOW });
    expect(statuses[1]?.status).toMatchObject({ numbers: { total: 10, leased: 5, coolingDown: 2, available: 3, utilizationPercent: 70 } });
  });
});

describe("destinations that are numbers of ours", () => {
  const other = (number: string) => pool({ ranges: [{ from: "+12025550150", to: "+12025550159" }], defaultDestination: { number } }, { key: "default/other" });
  const verdictsOf = (...resources: AnyResource[]) => compileWorld(declared(trunk(), ...resources)).verdicts;
  const calling = (number: string) => rule({ destinations: [aDestination({ number: "+12025550199" }), aDestination({ name: "ours", number })] });

  it("puts no rule into force that calls a number of its own pool: the call would come back for ever", () => {
    const world = compileWorld(declared(trunk(), pool(), calling("+12025550105")));
    expect(world.verdicts.rules.get("default/rule")?.problems).toEqual([
      "spec.destinations[1].number: must not be a number of NumberPool default/sales, which the rule is for, but +12025550105 is: calls would go in circles",
    ]);
    expect(world.desired.rules).toEqual([]);
  });

  it("only says so of a number of another pool, and of none of a number that is nobody's", () => {
    const { rules } = verdictsOf(pool(), other("+12025550199"), calling("+12025550150"));
    const { problems, warnings } = rules.get("default/rule") ?? {};
    expect([problems, warnings]).toEqual([[], ["spec.destinations[1].number: +12025550150 is a number of NumberPool default/other: its calls come back through the carrier as new ones"]]);
    expect(verdictsOf(pool(), other("+12025550199"), calling("+12025550160")).rules.get("default/rule")?.warnings).toEqual([]);
  });

  it("says of default destinations that lead to each other that calls go in circles, and keeps the pools in service", () => {
    const there = pool({ defaultDestination: { number: "+12025550155" } });
    const world = compileWorld(declared(trunk(), there, other("+12025550100")));
    const warnings = (key: string) => world.verdicts.pools.get(key)?.warnings;
    expect(warnings("default/sales")).toEqual(["spec.defaultDestination.number: calls that no rule takes go in circles: default/sales, default/other, default/sales"]);
    expect(warnings("default/other")).toEqual(["spec.defaultDestination.number: calls that no rule takes go in circles: default/other, default/sales, default/other"]);
    expect(keys(world.desired.pools)).toHaveLength(2);
    expect(verdictsOf(there, other("+12025550199")).pools.get("default/sales")?.warnings).toEqual([
      "spec.defaultDestination.number: +12025550155 is a number of NumberPool default/other: its calls come back through the carrier as new ones",
    ]);
  });

  it("finds out when the other pool comes later", () => {
    const compiler = new WorldCompiler();
    const mine = [trunk(), pool(), calling("+12025550150")];
    expect(compiler.compile(declared(...mine)).verdicts.rules.get("default/rule")?.warnings).toEqual([]);
    expect(compiler.compile(declared(...mine, other("+12025550199"))).verdicts.rules.get("default/rule")?.warnings).toHaveLength(1);
  });
});

describe("SIP URIs that a trunk can't call", () => {
  const tcp = trunk({ transport: "TCP" }, { key: "default/tcp" });
  const v6 = trunk({ host: "2001:db8::1" }, { key: "default/v6" });
  const warningsOf = (destination: Parameters<typeof aDestination>[0]) => {
    const { problems, warnings } = compileWorld(declared(trunk(), tcp, v6, pool(), rule({ destinations: [aDestination(destination)] }))).verdicts.rules.get("default/rule") ?? {};
    expect(problems).toEqual([]);
    return warnings;
  };

  it.each([
    ["sip:desk@pbx.example;transport=tcp", undefined, "SipTrunk default/carrier calls over UDP, not TCP"],
    ["sips:desk@pbx.example", undefined, "SipTrunk default/carrier calls over UDP, not TLS"],
    ["sips:desk@pbx.example;transport=udp", undefined, "SipTrunk default/carrier calls over UDP, not TLS"],
    ["sip:desk@[2001:db8::5]", undefined, "SipTrunk default/carrier calls over IPv4, not IPv6"],
    ["sip:desk@pbx.example;transport=udp", "tcp", "SipTrunk default/tcp calls over TCP, not UDP"],
    ["sip:desk@192.0.2.1;transport=tls", "v6", "SipTrunk default/v6 calls over UDP, not TLS; SipTrunk default/v6 calls over IPv6, not IPv4"],
  ])("%s through %s is told, and the rule stays in force", (sipUri, name, message) => {
    expect(warningsOf({ sipUri, ...(name === undefined ? {} : { trunkRef: { name } }) })).toEqual([`spec.destinations[0].sipUri: can't be reached: ${message}`]);
  });

  it.each([
    ["sip:desk@pbx.example", "tcp"],
    ["sip:desk@pbx.example;transport=tcp", "tcp"],
    ["sip:desk@[2001:db8::5]:5070", "v6"],
    ["sip:desk@192.0.2.1;transport=udp", "carrier"],
  ])("nothing is said of %s through %s", (sipUri, name) => {
    expect(warningsOf({ sipUri, trunkRef: { name } })).toEqual([]);
  });

  it("is told of a pool's default destination as well, and follows the trunk when that changes", () => {
    const compiler = new WorldCompiler();
    const mine = pool({ defaultDestination: { sipUri: "sip:desk@pbx.example;transport=tcp" } });
    const calling = rule({ destinations: [aDestination({ sipUri: "sip:desk@pbx.example;transport=tcp" })] });
    const warnings = (one: AnyResource) => {
      const { pools, rules } = compiler.compile(declared(one, mine, calling)).verdicts;
      return [pools.get("default/sales")?.warnings, rules.get("default/rule")?.warnings];
    };
    const message = "can't be reached: SipTrunk default/carrier calls over UDP, not TCP";
    expect(warnings(trunk())).toEqual([[`spec.defaultDestination.sipUri: ${message}`], [`spec.destinations[0].sipUri: ${message}`]]);
    expect(warnings(trunk({ transport: "TCP" }))).toEqual([[], []]);
  });
});
