import { randomBytes, randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { readAssociations } from "../../../src/adapters/postgres/read-associations.ts";
import { readCall } from "../../../src/adapters/postgres/read-calls.ts";
import { storableJson, storableText } from "../../../src/adapters/postgres/text.ts";
import { aRule } from "../../domain/builders.ts";
import { aCall, aDesiredPool, aLeg, aRequest, assignedOf, desired, did, didsOf, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

const STRINGS: readonly (readonly [string, string])[] = [
  ["quotes and a statement", `'; drop table call; -- "`],
  ["a dollar quote and a placeholder", "$$ $1 $tag$ %s ?"],
  ["backslashes", "\\ \\\\ \\' \\u0041 \\x00 \\"],
  ["an array's and an object's syntax", `{"a","b"} {NULL} [] , }`],
  ["unicode", "ünïcödé 漢字 🙂 e\u0301 \u202e\u2028"],
  ["control characters", "\r\n\t\u0001\u001b[31m\u007f"],
  ["nothing", ""],
  ["ten kilobytes that don't compress", randomBytes(5000).toString("hex")],
  ["__proto__", "__proto__"],
];

describe("a string that a stranger chose is stored as it is:", () => {
  test.each(STRINGS)("%s, as media element and attribute", async (_, text) => {
    await world.apply(aDesiredPool());
    const request = aRequest(randomUUID(), { mediaElement: text, attributes: { plain: text, [`key ${text}`]: "value" } });
    await world.claim(request, aRequest(randomUUID()));
    const [association] = await readAssociations(world.database.pool, did(0), 10);
    expect(association).toMatchObject({ mediaElement: text, attributes: request.attributes });
    expect((await world.stores.router.callContext({ did: did(0), pool: SALES, caller: null, at: new Date() })).mediaElements).toEqual([text]);
  });

  test.each(STRINGS)("%s, in a call record", async (_, text) => {
    const why = [{ rule: null, matched: false, reason: "CallerPrefixDiffers", message: text }] as const;
    const record = aCall({ caller: text, mediaElement: text, attributes: { [text]: text }, answeredBy: text, why, legs: [aLeg("leg", { destination: text })] });
    await world.stores.router.saveCall(record);
    expect(await readCall(world.database.pool, record.id)).toEqual(record);
    expect(await world.rows("select destination from live_leg")).toEqual([{ destination: text }]);
  });

  test.each(STRINGS)("%s, as the name of a person or a pool", async (_, text) => {
    const [ann, bob] = [await world.visitor(), await world.visitor()];
    await world.stores.prospects.identify({ site: "shop", subject: text, ...ann });
    expect(await world.stores.prospects.identify({ site: "shop", subject: text, ...bob })).toMatchObject({ merged: true });
    expect(await world.claim(aRequest(ann.prospect, { pool: text }))).toMatchObject([{ status: "unchanged", reason: "UnknownPool" }]);
  });
});

describe("what Postgres can't store", () => {
  test("fails nobody's claim: NUL and halves of a surrogate pair become U+FFFD", async () => {
    await world.apply(aDesiredPool());
    const hostile = aRequest(randomUUID(), { mediaElement: "a\0b\ud83d", attributes: { "k\0": "v\0\udc00", slash: "\\u0000" }, pool: SALES });
    const results = await world.claim(hostile, aRequest(randomUUID()), aRequest(randomUUID(), { pool: "\0" }));
    expect(didsOf(results)).toEqual([did(0), did(1), null]);
    const [association] = await readAssociations(world.database.pool, did(0), 10);
    expect(association).toMatchObject({ mediaElement: "a\ufffdb\ufffd", attributes: { "k\ufffd": "v\ufffd\ufffd", slash: "\\u0000" } });
  });

  test("keeps nothing else that is declared from being applied", async () => {
    const rule = aRule({ match: { attributes: [{ name: "utm_source", type: "Equals", value: "a\0b" }] } });
    await world.stores.operator.apply(desired({ pools: [aDesiredPool()], rules: [rule] }));
    expect(await world.rows("select spec #>> '{match,attributes,0,value}' as value from rule")).toEqual([{ value: "a\ufffdb" }]);
  });

  test("does not keep a call from being recorded", async () => {
    const record = aCall({ caller: "+49\0", mediaElement: "\ud800", attributes: { a: "\0" }, answeredBy: "sip:\0", legs: [aLeg("leg", { destination: "\0" })] });
    await world.stores.router.saveCall(record);
    expect(await readCall(world.database.pool, record.id)).toMatchObject({ caller: "+49\ufffd", mediaElement: "\ufffd", attributes: { a: "\ufffd" }, legs: [{ destination: "\ufffd" }] });
  });

  test.each([
    ["NUL", "\0", "\ufffd"],
    ["two backslashes and NUL", "\\\\\0", "\\\\\ufffd"],
    ["the six characters of an escape", "\\u0000", "\\u0000"],
    ["a backslash before them", "\\\\u0000", "\\\\u0000"],
    ["half a pair", "\ud83dx", "\ufffdx"],
    ["a pair", "🙂", "🙂"],
  ])("is found and nothing else is: %s", (_, given, stored) => {
    expect(JSON.parse(storableJson({ [given]: [given] }))).toEqual({ [stored]: [stored] });
    expect(storableText(given)).toBe(stored);
  });
});

test("a media element of any length is shown once a lease and device", async () => {
  await world.apply(aDesiredPool());
  const request = aRequest(randomUUID(), { mediaElement: randomBytes(50_000).toString("hex") });
  for (let n = 0; n < 3; n += 1) assignedOf(await world.claim(request));
  expect(await world.rows("select from association")).toHaveLength(1);
});
