import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createTokenSigner } from "../../src/domain/puid.ts";

const oldKey = { id: 1, secret: "an old secret of more than 32 characters" };
const newKey = { id: 2, secret: "a new secret of more than 32 characters " };
const id = "0d9c7a52-6b1e-4f6e-9a53-0c1de1f3a2b4";

describe("visitor and device tokens", () => {
  const signer = createTokenSigner([oldKey]);

  it("give the id back and are short enough for a cookie and a query", () => {
    for (let i = 0; i < 100; i += 1) {
      const uuid = randomUUID();
      const token = signer.sign("visitor", uuid);
      expect(token).toMatch(/^v1\.[A-Za-z0-9_-]{44}$/);
      expect(signer.verify("visitor", token)).toBe(uuid);
    }
  });

  it("keep one form for ever, because browsers hold them for years", () => {
    expect(signer.sign("visitor", id)).toBe("v1.AQ2celJrHk9umlMMHeHzorRcLcKBRCrkDcdL7U-909aN");
  });

  it("of an older key stay valid while keys rotate; the new key signs", () => {
    const rotated = createTokenSigner([newKey, oldKey]);
    expect(rotated.verify("device", signer.sign("device", id))).toBe(id);
    expect(rotated.read("device", signer.sign("device", id))).toEqual({ id, isCurrent: false });
    expect(rotated.read("device", rotated.sign("device", id))).toEqual({ id, isCurrent: true });
    expect(signer.verify("device", rotated.sign("device", id))).toBeNull();
    expect(createTokenSigner([newKey]).verify("device", signer.sign("device", id))).toBeNull();
  });

  it("of one kind are none of the other", () => {
    expect(signer.verify("device", signer.sign("visitor", id))).toBeNull();
    expect(signer.verify("visitor", signer.sign("device", id))).toBeNull();
  });

  it("that differ in any one character are refused", () => {
    const token = signer.sign("visitor", id);
    for (let at = 0; at < token.length; at += 1) {
      const forged = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      expect(signer.verify("visitor", forged), `changed at ${at}`).toBeNull();
    }
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["an empty text", ""],
    ["a bare UUID", id],
    ["a prefix only", "v1."],
    ["something cut off", "v1.AQ2celJrHk9umlMMHeHz"],
    ["something too long", `v1.${"A".repeat(45)}`],
    ["another alphabet", `v1.${"+".repeat(44)}`],
    ["10 kB", "v1.".padEnd(10_000, "A")],
    ["SQL", "v1.' or 1=1 --"],
  ])("refuse %s without an error", (_what, token) => {
    expect(signer.verify("visitor", token)).toBeNull();
  });

  it("are made of UUIDs only", () => {
    expect(() => signer.sign("visitor", "anna")).toThrow("not a UUID");
  });
});
