import { beforeAll, describe, expect, it } from "vitest";
import { loadSchemas, type Schemas } from "../../../src/adapters/manifest/load-schemas.ts";
import { readManifests, type Manifests } from "../../../src/adapters/manifest/read-manifests.ts";
import { validateResource } from "../../../src/adapters/manifest/validate-resource.ts";

let schemas: Schemas;
beforeAll(async () => {
  schemas = await loadSchemas();
});

const read = (text: string): Manifests => readManifests(schemas, text, "some.yaml");
const trunk = (spec: string, name = "carrier"): string => `apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

describe("a resource that is read", () => {
  it("has every default and a namespace, and no identity yet", () => {
    expect(read(trunk("{host: sip.carrier.example}")).resources).toEqual([
      {
        apiVersion: "dialplane.io/v1alpha1",
        kind: "SipTrunk",
        metadata: { name: "carrier", namespace: "default", uid: "", generation: 1, creationTimestamp: "1970-01-01T00:00:00Z" },
        spec: {
          host: "sip.carrier.example",
          port: 5060,
          transport: "UDP",
          mediaEncryption: "None",
          registration: "Disabled",
          codecs: ["PCMU", "PCMA"],
          callerId: { from: "Tracking", pAssertedIdentity: "None", diversion: "None" },
          keepAlive: { optionsIntervalSeconds: 60 },
        },
      },
    ]);
  });

  it("gets the defaults inside objects that are given in part, and inside list elements", () => {
    const [pool, rule] = read(`
apiVersion: dialplane.io/v1alpha1
kind: NumberPool
metadata: {name: sales}
spec:
  numbers: ["+12025550110"]
  trunkRef: {name: carrier}
  defaultDestination: {number: "+12025550199"}
  assignment: {leaseSeconds: 60}
---
apiVersion: dialplane.io/v1alpha1
kind: RoutingRule
metadata: {name: sales}
spec:
  poolRefs: [{name: sales}]
  match: {attributes: [{name: gclid, value: x}]}
  destinations: [{name: desk, number: "+12025550141"}]
`).resources;
    expect(pool?.spec).toMatchObject({
      assignment: { leaseSeconds: 60, cooldownSeconds: 900, attributionWindowSeconds: 2592000, onExhausted: { type: "LeavePage" } },
      display: { format: "National" },
      consent: "NotRequired",
      reclaimPolicy: "Retain",
    });
    expect(rule?.spec).toMatchObject({
      priority: 0,
      match: { repeatCaller: "Any", attributes: [{ name: "gclid", type: "Equals", value: "x" }] },
      strategy: "Sequential",
      destinations: [{ name: "desk", number: "+12025550141", weight: 1, ringTimeoutSeconds: 25 }],
      callerId: { type: "Tracking" },
      onBusy: "Stop",
      onNoAnswer: "Next",
      maxCallSeconds: 14400,
      stickyCaller: "Disabled",
      earlyMedia: "Ring",
    });
  });

  it("keeps the identity that its source gave it", () => {
    const text = trunk("{host: a.example}").replace("{name: carrier}", `{name: carrier, uid: u-1, generation: 7, creationTimestamp: "2026-01-02T03:04:05Z"}`);
    expect(read(text).resources[0]?.metadata).toMatchObject({ uid: "u-1", generation: 7, creationTimestamp: "2026-01-02T03:04:05Z" });
  });

  it("leaves the object that was checked as it was", () => {
    const input = { apiVersion: "dialplane.io/v1alpha1", kind: "SipTrunk", metadata: { name: "a" }, spec: { host: "a.example", port: null } };
    expect(validateResource(schemas, input).ok).toBe(true);
    expect(input.spec).toEqual({ host: "a.example", port: null });
  });
});

describe("a problem", () => {
  it("names file, document, line, object, field and what is allowed", () => {
    const { problems } = read(`${trunk("{host: a.example}", "first")}---\n${trunk("\n  host: b.example\n  transport: SCTP", "second")}`);
    expect(problems).toEqual([
      {
        file: "some.yaml",
        document: 2,
        line: 11,
        object: "SipTrunk default/second",
        field: "spec.transport",
        message: 'must be one of UDP, TCP, TLS, but is "SCTP"',
        allowed: ["UDP", "TCP", "TLS"],
      },
    ]);
  });

  it("does not hide the other documents", () => {
    const { resources, problems } = read(`${trunk("{}", "first")}---\n${trunk("{host: b.example}", "second")}`);
    expect(problems.map(({ field }) => field)).toEqual(["spec.host"]);
    expect(resources.map(({ metadata }) => metadata.name)).toEqual(["second"]);
  });

  it("is told for every field at once", () => {
    const { problems } = read(trunk("{port: 0, transport: SCTP, extra: 1}"));
    expect(problems.map(({ field }) => field).sort()).toEqual(["spec.extra", "spec.host", "spec.port", "spec.transport"]);
  });

  it("of one object declared twice names the first", () => {
    const { problems } = read(`${trunk("{host: a.example}")}---\n${trunk("{host: b.example}")}`);
    expect(problems).toMatchObject([{ document: 2, field: "metadata.name", message: "must be unique, but document 1 declares the same object" }]);
  });

  it("list is cut when a long list is all wrong", () => {
    const numbers = Array.from({ length: 10_000 }, () => "x").join(", ");
    const { problems } = read(`apiVersion: dialplane.io/v1alpha1\nkind: NumberPool\nmetadata: {name: sales}\nspec: {numbers: [${numbers}]}\n`);
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)?.message).toBe("has 9982 more problems");
  });

  it("of a value of many lines stays one short line", () => {
    const { problems } = read(trunk(JSON.stringify({ host: `a\n\u001b[31m${"b".repeat(10_000)}` })));
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(/^must match \P{Cc}{50,400}$/u);
  });

  it.each([
    ["__proto__: {polluted: 1}", "spec[__proto__]"],
    ["constructor: 1", "spec.constructor"],
    ["toString: 1", "spec.toString"],
  ])("names the hostile field in {%s}", (entry, field) => {
    const { problems } = read(trunk(`{host: a.example, ${entry}}`));
    expect(problems).toMatchObject([{ field }]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("text that is no manifest", () => {
  it.each([
    ["an empty file", ""],
    ["comments only", "# nothing\n---\n# nothing\n"],
  ])("declares nothing: %s", (_, text) => {
    expect(read(text)).toMatchObject({ resources: [], problems: [], warnings: [] });
  });

  it.each([
    ["a list", "- a\n- b\n", null, "must be an object"],
    ["a string", "hello\n", null, "must be an object"],
    ["no kind", "spec: {}\n", "kind", "must be specified: one of NumberPool, RoutingRule, SipTrunk, Secret"],
    ["a kind that is no string", "kind: [SipTrunk]\n", "kind", "must be one of"],
    ["another kind", "kind: Deployment\n", "kind", "must be one of NumberPool, RoutingRule, SipTrunk, Secret"],
    ["no metadata", "apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nspec: {host: a.example}\n", "metadata.name", "must be specified"],
    ["metadata that is a string", "apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nmetadata: x\nspec: {host: a.example}\n", "metadata", "must be an object"],
    ["spec that is a list", "apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nmetadata: {name: a}\nspec: []\n", "spec", "must be an object"],
    ["an unclosed bracket", "kind: SipTrunk\nspec: {host: [\n", null, "must be YAML"],
    ["one key twice", "kind: SipTrunk\nkind: NumberPool\n", null, "must be YAML"],
    ["an unknown alias", "kind: *nothing\n", null, "must be YAML"],
    ["binary rubbish", "\u0000\u0001\u0002{{{", null, "must be"],
  ])("is refused with a reason: %s", (_, text, field, message) => {
    const { resources, problems } = read(text);
    expect(resources).toEqual([]);
    expect(problems[0]?.field).toBe(field);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.document).toBe(1);
  });

  it("with a syntax error names the line", () => {
    expect(read("kind: SipTrunk\nmetadata:\n  name: a\n bad: indent\n").problems[0]).toMatchObject({ document: 1, line: 4 });
  });

  it("that multiplies aliases is refused", () => {
    const layers = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(", ")}]`);
    const { problems } = read(`a0: &a0 [x]\n${layers.join("\n")}\n`);
    expect(problems[0]?.message).toContain("alias");
  });

  it.each([
    ["brackets", "[".repeat(4_000_000)],
    ["balanced brackets", `${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}`],
    ["objects", "{a: ".repeat(1_000_000)],
    ["lists in one line", "- ".repeat(2_000_000)],
    ["keys in one line", "? ".repeat(2_000_000)],
  ])("that nests without end is refused at once: %s", (_, text) => {
    expect(read(text).problems).toMatchObject([{ document: null, message: "must nest at most 500 deep" }]);
  });

  it("that nests too deep line by line is refused", () => {
    const text = Array.from({ length: 2500 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n");
    expect(read(text).problems).not.toEqual([]);
  });

  it("above 4 MiB is refused", () => {
    const { problems } = read(`#${"x".repeat(4 * 1024 * 1024)}`);
    expect(problems).toMatchObject([{ document: null, line: null, message: "must be at most 4194304 bytes" }]);
  });
});

describe("what kubectl reads otherwise", () => {
  const pool = (seconds: string): string => `apiVersion: dialplane.io/v1alpha1
kind: NumberPool
metadata: {name: sales}
spec:
  numbers: ["+12025550110"]
  trunkRef: {name: carrier}
  defaultDestination: {number: "+12025550199"}
  assignment: {leaseSeconds: ${seconds}}
`;
  const labelled = (label: string): string => trunk("{host: a.example}").replace("{name: carrier}", `{name: carrier, labels: {${label}}}`);

  // What kubectl 1.35 makes of them was asked of it.
  it.each(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"])("is a boolean: %s", (value) => {
    const { resources, problems } = read(labelled(`team: ${value}`));
    expect(resources).toEqual([]);
    expect(problems).toMatchObject([{ line: 3, object: "SipTrunk default/carrier", field: "metadata.labels.team", message: "must be written in quotes: kubectl takes it for a boolean" }]);
  });

  it.each(["0600", "0100", "-0600", "0777"])("is octal: %s", (value) => {
    expect(read(pool(value)).problems).toMatchObject([{ field: "spec.assignment.leaseSeconds", message: "must be written without the leading zero, or in quotes: kubectl takes it for octal" }]);
  });

  it.each(["1_800", "1_", "0_600", "-1_0", "+1_0", "2024_11", "0b101", "0B101", "-0o17", "0O17", "-0x1F", "0X1F", "0x1_F", "1_000.5", "1_0e3", "1e_3", ".5_0"])("is a number: %s", (value) => {
    const { problems } = read(labelled(`team: ${value}`));
    expect(problems).toMatchObject([{ field: "metadata.labels.team", message: "must be written in quotes, or in decimal digits alone: kubectl takes it for a number" }]);
  });

  it.each(["'on'", '"0600"', "!!str no", "yEs", "oFF", "_1", "1_a", "a_1", "0b2", "09a", "2024-11-30T"])("is not a string that is one for both: %s", (value) => {
    expect(read(labelled(`team: ${value}`)).problems.filter(({ message }) => message.includes("kubectl"))).toEqual([]);
  });

  it.each(["600", "0", "00", "0x258", "0o1130", "6e2", "089", "1.5", "09:00"])("is not a number or time that is the same for both: %s", (value) => {
    expect(read(pool(value)).problems.filter(({ message }) => message.includes("kubectl"))).toEqual([]);
  });

  it("may be the name of a field, stand in a list of objects, and is no matter in objects of others", () => {
    expect(read(labelled("on: x")).problems).toMatchObject([{ field: "metadata.labels.on", message: "must have its name in quotes: kubectl takes it for another one" }]);
    const list = `apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {mode: 0644}}\n  - {apiVersion: dialplane.io/v1alpha1, kind: SipTrunk, metadata: {name: t}, spec: {host: a.example, port: 5060}}\n`;
    expect(read(list).problems).toEqual([]);
    expect(read(list.replace("5060", "05060")).problems).toMatchObject([{ line: 5, object: "SipTrunk default/t", field: "spec.port" }]);
  });

  it("is not made more by what the file says of its version", () => {
    expect(read(`%YAML 1.1\n---\n${labelled('team: "x"')}`).problems).toEqual([]);
    expect(read(`%YAML 1.1\n---\n${labelled("team: 09:00")}`).problems[0]?.message).not.toContain("in quotes");
  });
});

describe("a Secret", () => {
  const secret = (rest: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: carrier, namespace: shop}\n${rest}\n`;

  it.each([
    ["stringData", "stringData: {username: acme, password: s3cret}"],
    ["data in base64", "data: {username: YWNtZQ==, password: czNjcmV0}"],
    ["stringData before data", "data: {username: eA==, password: eA==}\nstringData: {username: acme, password: s3cret}"],
  ])("gives a trunk's credentials from %s", (_, rest) => {
    const { credentials, problems } = read(secret(rest));
    expect(problems).toEqual([]);
    expect([...credentials]).toEqual([["shop/carrier", { username: "acme", password: "s3cret" }]]);
  });

  it.each(["type: kubernetes.io/tls\ndata: {tls.crt: YQ==}", 'stringData: {password: "of\\ntwo lines"}', "data: {username: no base64}"])("of somebody else is passed over, for it lacks a key: %s", (rest) => {
    expect(read(secret(rest))).toMatchObject({ resources: [], problems: [], secretProblems: new Map(), credentials: new Map() });
  });

  it.each([
    ["a line break", 'stringData: {username: acme, password: "s3cret\\nx=y"}', "stringData.password"],
    ["data that is not base64", "data: {username: YWNtZQ==, password: s3cret!}", "data.password"],
    ["a space at its end", 'stringData: {username: acme, password: "s3cret "}', "stringData.password"],
    ["a number", "stringData: {username: acme, password: 123456}", "stringData.password"],
    ["what kubectl takes for a boolean", "stringData: {username: acme, password: on}", "stringData.password"],
  ])("with %s is refused where a trunk names it, without telling the value", (_, rest, field) => {
    const { credentials, secretProblems, problems } = read(secret(rest));
    expect([credentials.size, problems]).toEqual([0, []]);
    expect([...secretProblems]).toMatchObject([["shop/carrier", [{ field }]]]);
    expect(JSON.stringify([...secretProblems])).not.toMatch(/s3cret|123456/);
  });

  it("without metadata is refused", () => {
    expect(read("apiVersion: v1\nkind: Secret\nstringData: {username: a, password: b}\n").problems).toMatchObject([{ field: "metadata.name" }]);
  });
});
