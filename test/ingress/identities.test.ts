import { describe, expect, it } from "vitest";
import type { Prospects } from "../../src/domain/ports.ts";
import { createTokenSigner, type SigningKey } from "../../src/domain/puid.ts";
import { Identities } from "../../src/ingress/identities.ts";

const oldKey: SigningKey = { id: 1, secret: "an-old-key-of-the-tests-has-32-characters" };
const newKey: SigningKey = { id: 2, secret: "a-new-key-of-the-tests-has-32-characters" };
const prospect = "7a7a5e26-b1d3-4c77-8a40-5f4f2a5d3a11";
const device = "0d4f9a1e-4c06-4d52-9f0e-0c3b4a1c2d3e";
const other = "11111111-2222-4333-8444-555555555555";

/** @param belongsTo the prospect that every device belongs to; its own when left out */
function identities(keys: readonly [SigningKey, ...SigningKey[]], belongsTo?: string) {
  const signer = createTokenSigner(keys);
  const touch: Prospects["touch"] = (devices) => Promise.resolve(devices.map((one) => belongsTo ?? one.prospect));
  const prospects = { touch, create: () => Promise.resolve() } as unknown as Prospects;
  return { signer, made: new Identities(signer, prospects, { maxBatch: 10, maxWaiting: 10 }) };
}

describe("the tokens that a visitor is to keep", () => {
  it("are those that he brought, as long as they say the same", async () => {
    const { signer, made } = identities([newKey]);
    const given = { visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) };
    const met = await made.meet(given);
    expect(met.identity).toEqual({ prospect, device });
    expect(met.tokens()).toEqual(given);
  });

  it("are new ones of the new key when the old one signed them", async () => {
    const old = createTokenSigner([oldKey]);
    const { signer, made } = identities([newKey, oldKey]);
    const met = await made.meet({ visitor: old.sign("visitor", prospect), device: old.sign("device", device) });
    expect(met.tokens()).toEqual({ visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) });
  });

  it("name the person whom the device belongs to now", async () => {
    const { signer, made } = identities([newKey], other);
    const given = { visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) };
    const met = await made.meet(given);
    expect(met.tokens()).toEqual({ visitor: signer.sign("visitor", other), device: given.device });
  });

  it("are never a forged one", async () => {
    const { signer, made } = identities([newKey]);
    const { identity, tokens } = await made.meet({ visitor: `v1.${"A".repeat(44)}`, device: signer.sign("device", device) });
    expect(identity.device).toBe(device);
    expect(signer.verify("visitor", tokens().visitor)).toBe(identity.prospect);
  });
});
