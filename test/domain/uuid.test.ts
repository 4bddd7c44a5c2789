import { describe, expect, test } from "vitest";
import { callId } from "../../src/domain/call/ids.ts";
import { uuidOf } from "../../src/domain/uuid.ts";

describe("a UUID of texts", () => {
  test("is the same for ever: those that were made before stand in databases and in Asterisk", () => {
    expect(uuidOf(["1764510000.12", "abc@203.0.113.7"])).toBe("302af553-108e-809d-994f-f89cb04eeb6e");
    expect(callId({ id: "1764510000.12", protocolId: "abc@203.0.113.7" })).toBe("302af553-108e-809d-994f-f89cb04eeb6e");
    expect(callId({ id: "1764510000.13", protocolId: '\u0000\u{1f600}"\\' })).toBe("f0b9d593-80db-8995-9e70-8ccae2ab3e7b");
    expect(uuidOf(["", ""])).toBe("439083f3-8956-8a51-ace9-0631552c6ea2");
  });

  test("is of version 8, and another one for other texts, also where they are cut elsewhere", () => {
    const ids = [["a", "bc"], ["ab", "c"], ["abc"], ["c", "ab"], ["ab", "c", ""]].map(uuidOf);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
