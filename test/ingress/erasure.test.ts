import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTokenSigner } from "../../src/domain/puid.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { aCall, CALLER } from "../adapters/postgres/world.ts";
import { apiToken, personToken, startSite, type Site } from "./site.ts";
import { tokenKeys } from "./stores.ts";

const banner = { pool: "default/sales", mediaElement: "banner" };
const authorised = { Authorization: `Bearer ${apiToken}` };

describe("POST /v1/erasures", () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite();
  });
  afterAll(() => site.close());

  const pick = ({ visitor, device }: Record<string, unknown> = {}) => ({ visitor, device });
  const shownTo = async (body: object = {}) => (await site.post("/v1/numbers", { ...banner, ...body })).body;
  const history = (number: unknown) => site.stores.associations(String(number));

  it("forgets what a visitor was shown; the number stays nobody else's until its lease ends", async () => {
    const { visitor, device, number } = await shownTo();
    expect(await history(number)).toHaveLength(1);
    expect((await site.post("/v1/erasures", { visitor }, { ...authorised, Origin: null })).status).toBe(204);
    expect(await history(number)).toHaveLength(0);
    expect((await shownTo()).number).not.toBe(number);
    expect((await shownTo({ visitor, device })).number).not.toBe(number);
  });

  it("forgets who logged in, on all devices", async () => {
    const devices = [await shownTo(), await shownTo()];
    for (const { visitor, device } of devices) await site.post("/v1/identify", { token: personToken("customer-42"), visitor, device });
    expect((await site.post("/v1/erasures", { person: { site: "acme", subject: "customer-42" } }, authorised)).status).toBe(204);
    for (const { number } of devices) expect(await history(number)).toHaveLength(0);
  });

  it("parts a person's devices: without a log-in each is somebody new, and stays so", async () => {
    const token = personToken("customer-43");
    const [phone, laptop] = [await shownTo(), await shownTo()];
    const joined = [];
    for (const { visitor, device } of [phone, laptop]) joined.push((await site.post("/v1/identify", { token, visitor, device })).body);
    expect(joined[0]?.["merged"]).toBe(false);
    expect(joined[1]).toMatchObject({ visitor: joined[0]?.["visitor"], merged: true });
    await site.post("/v1/erasures", { person: { site: "acme", subject: "customer-43" } }, authorised);
    const [one, other] = [await shownTo(pick(joined[0])), await shownTo(pick(joined[1]))];
    expect(one["status"]).toBe("assigned");
    expect(other["status"]).toBe("assigned");
    expect(other["number"]).not.toBe(one["number"]);
    expect(new Set([joined[0]?.["visitor"], one["visitor"], other["visitor"]]).size).toBe(3);
    // The old token, as a page that missed the answer sends it, is the same device.
    expect(await shownTo(pick(joined[0]))).toMatchObject({ number: one["number"], visitor: one["visitor"] });
    // Whoever logs in is known again, and is nobody of before.
    const again = (await site.post("/v1/identify", { token, ...pick(joined[1]) })).body;
    expect(again).toMatchObject({ visitor: other["visitor"], merged: false });
  });

  it("leaves nobody of whom a release could make somebody known again", async () => {
    const { visitor, device } = await shownTo();
    await site.post("/v1/erasures", { visitor }, authorised);
    const before = await site.stores.counts();
    expect((await site.post("/v1/release", { pools: [banner.pool], visitor, device })).status).toBe(204);
    expect(await site.stores.counts()).toEqual(before);
  });

  it("reaches calls that came before it and whose records the database gets afterwards; later calls are new", async () => {
    const { visitor } = await shownTo();
    const prospect = createTokenSigner(tokenKeys).verify("visitor", String(visitor));
    const [byProspect, byCaller] = [aCall({ prospect, caller: "+12025550188" }), aCall()];
    for (const who of [{ visitor }, { caller: CALLER }]) expect((await site.post("/v1/erasures", who, authorised)).status).toBe(204);
    const later = aCall({ prospect, receivedAt: new Date(Date.now() + 1_000) });
    for (const record of [byProspect, byCaller, later]) await site.stores.saveCall(record);
    const read = ({ id }: CallRecord) => site.stores.ports.records.call(id);
    for (const record of [byProspect, byCaller]) expect(await read(record)).toMatchObject({ caller: null, prospect: null });
    expect(await read(later)).toMatchObject({ caller: CALLER, prospect });
  });

  it("answers the same for somebody who was never known", async () => {
    expect((await site.post("/v1/erasures", { person: { site: "acme", subject: "nobody" } }, authorised)).status).toBe(204);
    expect((await site.post("/v1/erasures", { caller: "+12025550177" }, authorised)).status).toBe(204);
  });

  it.each<[string, unknown, Record<string, string>, { status: number; field: string }]>([
    ["no bearer token", {}, {}, { status: 401, field: "Authorization" }],
    ["a wrong bearer token", {}, { Authorization: `Bearer ${apiToken}x` }, { status: 401, field: "Authorization" }],
    ["another scheme", {}, { Authorization: `Basic ${apiToken}` }, { status: 401, field: "Authorization" }],
    ["nobody named", {}, authorised, { status: 400, field: "body" }],
    ["two at once", { caller: "+12025550142", person: { site: "acme", subject: "a" } }, authorised, { status: 400, field: "body" }],
    ["a visitor token that isn't ours", { visitor: `v1.${"A".repeat(44)}` }, authorised, { status: 400, field: "visitor" }],
    ["a caller that is no number", { caller: "202-555" }, authorised, { status: 400, field: "caller" }],
    ["a person of a site that can't be one", { person: { site: "ac\u0000me", subject: "a" } }, authorised, { status: 400, field: "person.site" }],
    ["a person without a subject", { person: { site: "acme" } }, authorised, { status: 400, field: "person.subject" }],
  ])("refuses %s, naming the field", async (_what, body, headers, { status, field }) => {
    expect(await site.post("/v1/erasures", body, headers)).toMatchObject({ status, body: { field } });
  });
});
