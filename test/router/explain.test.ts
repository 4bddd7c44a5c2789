import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { route } from "../../src/domain/routing.ts";
import { explainCommand } from "../../src/router/explain/command.ts";
import { aPool, aRule, aTrunk } from "../domain/builders.ts";
import { aCall, aDesiredPool, aRequest, CALLER, desired, did, eachWithWorld, overflowAt, SALES } from "../adapters/postgres/world.ts";
import { silent } from "../harness/logger.ts";
import { startControlPlane, type ControlPlane } from "../harness/kube.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { emptyDatabase } from "../harness/postgres.ts";
import { temporaryFolder } from "../harness/process.ts";

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function explain(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const written = { out: "", err: "" };
  const code = await explainCommand(args, { env, stdout: { write: (text) => (written.out += text) }, stderr: { write: (text) => (written.err += text) } });
  return { code, ...written };
}

interface Answer {
  readonly [field: string]: unknown;
  readonly rule: string | null;
  readonly why: readonly { readonly rule: string | null; readonly reason: string }[];
  readonly turns: Readonly<Record<string, number>>;
  readonly notInForce: readonly string[];
}

async function answer(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> {
  const { code, out, err } = await explain([...args, "--json"], env);
  if (code !== 0) throw new Error(`explain ended with ${code}: ${err}`);
  return JSON.parse(out) as Answer;
}

const QUICKSTART = join(import.meta.dirname, "../../examples/quickstart");
const CALL = ["--from", "+13125550123", "--to", "+12025550110"];

describe("arguments out of format are named, with what is allowed, and the exit code is 2", () => {
  const table: readonly [string, readonly string[], NodeJS.ProcessEnv, string][] = [
    ["no source", CALL, {}, "--database, --folder or --cluster must be given"],
    ["two sources", [...CALL, "--cluster", "--folder", "x"], {}, "must not be given together"],
    ["a namespace without a cluster", [...CALL, "--folder", "x", "--namespace", "shop"], {}, "may be given with --cluster only"],
    ["a database that is none", CALL, { DATABASE_URL: "mysql://x" }, "DATABASE_URL must be postgres://user:password@host:port/database"],
    ["no caller", ["--to", "+12025550110", "--folder", "x"], {}, '--from must be "+" and 7 to 15 digits'],
    ["a number without +", ["--from", "withheld", "--to", "12025550110", "--folder", "x"], {}, '--to must be "+" and 7 to 15 digits'],
    ["a time without offset", [...CALL, "--folder", "x", "--at", "2026-06-01T12:00:00"], {}, "--at must be a time with offset"],
    ["a time that is none", [...CALL, "--folder", "x", "--at", "2026-13-01T12:00:00Z"], {}, "--at must be a time with offset"],
    ["a day that is none", [...CALL, "--folder", "x", "--at", "2026-02-30T12:00:00Z"], {}, "--at must be a time with offset"],
    ["a visitor that is no id", [...CALL, "--folder", "x", "--visitor", "ann"], {}, "--visitor must be a visitor's id"],
    ["attributes without values", [...CALL, "--folder", "x", "--attributes", "utm_source"], {}, "--attributes must be name=value"],
    ["a media element with a space", [...CALL, "--folder", "x", "--media-elements", "a b"], {}, "--media-elements must be names"],
    ["an attribution that is none", [...CALL, "--folder", "x", "--attribution", "sure"], {}, "--attribution must be one of exclusive"],
    ["a draw of 1", [...CALL, "--folder", "x", "--random", "1"], {}, "--random must be a number from 0"],
    ["an option that is none", [...CALL, "--folder", "x", "--verbose"], {}, "--verbose"],
    ["a word too many", [...CALL, "--folder", "x", "why"], {}, "why"],
    ["a folder that is not there", [...CALL, "--folder", "/nowhere"], {}, "--folder must be a readable folder"],
    ["a kubeconfig that is not there", [...CALL, "--cluster", "--kubeconfig", "/nowhere"], {}, "--kubeconfig must be a readable kubeconfig"],
  ];
  test.each(table)("%s", async (_, args, env, message) => {
    const { code, out, err } = await explain(args, env);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
  });
});

test.each(["--help", "-h"])("%s says how it is used", async (help) => {
  expect(await explain([help])).toMatchObject({ code: 0, out: expect.stringContaining("usage: dialplane explain --from") as string });
});

describe("a folder of manifests", () => {
  test("explains a call as people read it", async () => {
    const { code, out } = await explain([...CALL, "--folder", QUICKSTART, "--media-elements", "pricing", "--at", "2026-06-01T12:00:00+02:00"]);
    expect(code).toBe(0);
    expect(out).toContain("a call from +13125550123 to +12025550110 of pool default/sales at 2026-06-01T10:00:00.000Z\n");
    expect(out).toContain("+ default/pricing: Matched: all conditions hold; Sequential: pricing-desk\n");
    expect(out).toContain("=> 1. ring pricing-desk (+12025550142 through default/carrier, 25 s)\n      pricing-desk is shown From: +12025550110\n");
  });

  test("takes what is assumed of the caller into account", async () => {
    expect(await answer([...CALL, "--folder", QUICKSTART])).toMatchObject({ rule: "default/front-desk", context: { attribution: "none", prospect: null } });
    expect(await answer(["--from", "+4930123456", "--to", "+12025550110", "--folder", QUICKSTART, "--at", "2026-06-01T10:00:00+02:00"])).toMatchObject({ rule: "default/berlin-office" });
  });

  test("a number of nobody ends with 1 and says what its callers hear", async () => {
    const { code, err } = await explain(["--from", "withheld", "--to", "+12025559999", "--folder", QUICKSTART]);
    expect(code).toBe(1);
    expect(err).toBe("dialplane explain: no pool in service has the number +12025559999: Asterisk answers its calls with 404\n");
  });

  test("broken manifests end with 2 and are named; rules that are not in force are told", async () => {
    const folder = await temporaryFolder("explain");
    try {
      await cp(QUICKSTART, folder.path, { recursive: true });
      const rule = (name: string, trunk: string) => `apiVersion: dialplane.io/v1alpha1
kind: RoutingRule
metadata: {name: ${name}}
spec: {poolRefs: [{name: sales}], priority: 1000, destinations: [{name: desk, number: "+12025550150", trunkRef: {name: ${trunk}}}]}
`;
      await writeFile(join(folder.path, "late.yaml"), rule("late", "nowhere"));
      const { rule: taken, notInForce } = await answer([...CALL, "--folder", folder.path]);
      expect(taken).toBe("default/front-desk");
      expect(notInForce).toEqual(["RoutingRule default/late: SipTrunk default/nowhere is missing"]);
      await writeFile(join(folder.path, "wrong.yaml"), rule("Wrong", "carrier"));
      const { code, err } = await explain([...CALL, "--folder", folder.path]);
      expect(code).toBe(2);
      expect(err).toContain("wrong.yaml: document 1: metadata.name: must be");
    } finally {
      await folder.remove();
    }
  });
});

describe("a database", () => {
  const world = eachWithWorld();
  const trunk = aTrunk({}, { key: "shop/carrier" });
  const rules = [
    aRule({ priority: 9, match: { attributes: [{ name: "utm_source", type: "Equals", value: "news" }] } }, { key: "shop/news", pools: [SALES] }),
    aRule({ strategy: "RoundRobin", destinations: ["a", "b", "c"].map((name, n) => ({ name, number: `+1202555014${n}`, weight: 1, ringTimeoutSeconds: 25 })) }, { key: "shop/all", pools: [SALES] }),
  ];
  const env = () => ({ DATABASE_URL: world.database.url });
  const call = ["--from", CALLER, "--to", did(0)];

  test("explains what a router decides by the same database, and changes nothing there", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool()], rules, trunks: [trunk] }));
    const question = { did: did(0), pool: SALES, caller: CALLER, at: new Date() };
    for (let turn = 0; turn < 4; turn += 1) {
      const explained = [await answer(call, env()), await answer(call, env())];
      const context = await world.stores.router.callContext(question);
      const { pools, rules: stored } = await world.stores.router.snapshot();
      const turns = { "shop/all": (await world.stores.router.nextTurn("uid-of-shop/all"))! };
      const { groups, why } = route({ ...question, context, turns, random: 0 }, pools[0]!, stored);
      for (const { groups: shown, why: said, turns: counted } of explained) {
        expect(counted).toEqual(turn === 0 ? {} : turns);
        expect(said).toEqual(why);
        expect(shown).toEqual(groups.map((group) => group.map((leg) => ({ ...leg, identity: { from: did(0), variables: {} } }))));
      }
    }
  });

  test("knows who was shown the number, and whom else to assume", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool({ owned: [[0, 0]] })], rules, trunks: [trunk] }));
    const [ann, ben] = [await world.visitor(), await world.visitor()];
    await world.assigned(aRequest(ann.prospect, { ...ann, attributes: { utm_source: "news" } }));
    expect(await answer(call, env())).toMatchObject({ rule: "shop/news", context: { attribution: "exclusive", prospect: ann.prospect } });
    expect(await answer([...call, "--visitor", ben.prospect], env())).toMatchObject({ rule: "shop/all", context: { prospect: ben.prospect, attributes: {} } });
    await world.pass(2_000_000);
    expect(await answer(call, env())).toMatchObject({ rule: "shop/all", context: { attribution: "none" } });
    expect(await answer([...call, "--visitor", ann.prospect], env())).toMatchObject({ rule: "shop/news", context: { mediaElements: ["hero"] } });
  });

  test("knows who a visitor is by now who was found to be somebody else as well", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool({ owned: [[0, 0]], leaseSeconds: 60, cooldownSeconds: 600 })], rules, trunks: [trunk] }));
    const [phone, laptop] = [await world.visitor(), await world.visitor()];
    for (const one of [phone, laptop]) await world.stores.prospects.identify({ site: "shop", subject: "ann", ...one });
    await world.assigned(aRequest(phone.prospect, phone));
    await world.pass(120);
    expect(await answer([...call, "--visitor", laptop.prospect], env())).toMatchObject({ context: { attribution: "stale", prospect: phone.prospect, mediaElements: ["hero"] } });
  });

  test("knows the overflow number, repeat callers and calls in progress", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool({ ...overflowAt(5) })], rules, trunks: [trunk] }));
    await world.stores.router.saveCall(aCall({ answeredAt: new Date(), answeredBy: "+12025550141" }));
    expect(await answer(["--from", CALLER, "--to", did(5)], env())).toMatchObject({
      context: { attribution: "overflow", repeatCaller: true, lastAnsweredBy: "+12025550141" },
    });
  });

  test("is read with the right to read and nothing else", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool()], rules, trunks: [trunk] }));
    await world.stores.router.nextTurn("uid-of-shop/all");
    const url = new URL(world.database.url);
    const role = `reader_${url.pathname.slice(1)}`;
    await world.database.pool.query(`create role ${role} login password 'reads' in role pg_read_all_data`);
    try {
      [url.username, url.password] = [role, "reads"];
      const reader = connect(url.href, silent);
      await expect(reader.query("delete from call")).rejects.toThrow("permission denied");
      await reader.end();
      expect(await answer(call, { DATABASE_URL: url.href })).toMatchObject({ rule: "shop/all", turns: { "shop/all": 1 } });
    } finally {
      await world.database.pool.query(`drop role ${role}`);
    }
  });

  test("a number of nobody, and one of a pool that was taken away, end with 1", async () => {
    await world.stores.operator.apply(desired({ pools: [aDesiredPool()], rules, trunks: [trunk] }));
    expect(await explain(["--from", CALLER, "--to", did(10)], env())).toMatchObject({ code: 1, out: "" });
    await world.stores.operator.apply(desired());
    expect(await explain(call, env())).toMatchObject({ code: 1, out: "" });
  });

  test("that is not there ends with 1 and names the fault, not the password", async () => {
    const url = `postgres://someone:secret-word@127.0.0.1:${await freeTcpPort()}/none`;
    const { code, err } = await explain(call, { DATABASE_URL: url });
    expect(code).toBe(1);
    expect(err).toContain("the database could not be read: connect ECONNREFUSED");
    expect(err).not.toContain("secret-word");
  });

  test("that was not migrated yet says what to run", async () => {
    const empty = await emptyDatabase();
    try {
      const { code, err } = await explain(call, { DATABASE_URL: empty.url });
      expect([code, err]).toEqual([1, expect.stringMatching(/^dialplane explain: the database could not be read: it has schema 0, this release needs \d+: run dialplane migrate\n$/)]);
    } finally {
      await empty.drop();
    }
  });
});

describe("a cluster", () => {
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await startControlPlane();
    const objects = [
      { kind: "SipTrunk", metadata: { name: "carrier" }, spec: { host: "sip.carrier.example", authentication: { secretRef: { name: "carrier-login" } } } },
      { kind: "NumberPool", metadata: { name: "sales" }, spec: poolSpec() },
      { kind: "RoutingRule", metadata: { name: "first" }, spec: { poolRefs: [{ name: "sales" }], destinations: [{ name: "desk", number: "+12025550150" }] } },
      { kind: "RoutingRule", metadata: { name: "late" }, spec: { poolRefs: [{ name: "sales" }], priority: 9, destinations: [{ name: "desk", number: "+12025550150", trunkRef: { name: "nowhere" } }] } },
    ];
    const items = objects.map((object) => ({ apiVersion: "dialplane.io/v1alpha1", ...object, metadata: { ...object.metadata, namespace: "default" } }));
    await cluster.mustKubectl(["apply", "--server-side", "-f", "-"], { stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
  }, 120_000);
  afterAll(() => cluster.stop());

  function poolSpec(): object {
    const { numbers, ranges, trunkRef, defaultDestination } = aPool().spec;
    return { ...(numbers === undefined ? { ranges } : { numbers }), trunkRef, defaultDestination };
  }

  const call = ["--from", "+13125550123", "--to", "+12025550101", "--cluster"];

  test("is read with the user's own kubeconfig, without its Secrets", async () => {
    const reader = await cluster.userKubeconfig("reader", ["explainers"]);
    const role = ["create", "clusterrole", "explain", "--verb=list", "--resource=numberpools.dialplane.io,routingrules.dialplane.io,siptrunks.dialplane.io"];
    await cluster.mustKubectl(role);
    await cluster.mustKubectl(["create", "clusterrolebinding", "explain", "--clusterrole=explain", "--group=explainers"]);
    expect(await answer([...call, "--kubeconfig", reader])).toMatchObject({
      pool: "default/sales",
      rule: "default/first",
      groups: [[{ destination: "+12025550150", trunk: "default/carrier", identity: { from: "+12025550101" } }]],
      notInForce: ["RoutingRule default/late: SipTrunk default/nowhere is missing"],
    });
  });

  test("that refuses the user ends with 1 in the API server's words", async () => {
    const stranger = await cluster.userKubeconfig("stranger");
    const { code, err } = await explain([...call, "--kubeconfig", stranger, "--namespace", "default"]);
    expect(code).toBe(1);
    expect(err).toMatch(/the cluster could not be read: .* is forbidden: User "stranger" cannot list resource/);
  });

  test("of an unknown context ends with 2 and names the known ones", async () => {
    const { code, err } = await explain([...call, "--kubeconfig", cluster.kubeconfig, "--context", "production"]);
    expect(code).toBe(2);
    expect(err).toContain("known are test");
  });
});
