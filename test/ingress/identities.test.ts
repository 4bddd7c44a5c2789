import { describe, expect, it } from "vitest";
import { createTokenSigner, type SigningKey } from "../../src/domain/puid.ts";
import { Identities } from "../../src/ingress/identities.ts";

const oldKey: SigningKey = { id: 1, secret: "an-old-key-of-the-tests-has-32-characters" };
const newKey: SigningKey = { id: 2, secret: "a-new-key-of-the-tests-has-32-characters" };
const prospect = "7a7a5e26-b1d3-4c77-8a40-5f4f2a5d3a11";
const device = "0d4f9a1e-4c06-4d52-9f0e-0c3b4a1c2d3e";
const other = "11111111-2222-4333-8444-555555555555";

function identities(keys: readonly [SigningKey, ...SigningKey[]]) {
  return { signer: createTokenSigner(keys), made: new Identities(createTokenSigner(keys)) };
}

describe("the tokens that a visitor is to keep", () => {
  it("are those that he brought, as long as they say the same", () => {
    const { signer, made } = identities([newKey]);
    const given = { visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) };
    const met = made.meet(given);
    expect(met.claimed).toEqual({ prospect, device });
    expect(met.tokens(prospect)).toEqual(given);
  });

  it("are new ones of the new key when the old one signed them", () => {
    const old = createTokenSigner([oldKey]);
    const { signer, made } = identities([newKey, oldKey]);
    const met = made.meet({ visitor: old.sign("visitor", prospect), device: old.sign("device", device) });
    expect(met.tokens(prospect)).toEqual({ visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) });
  });

  it("name the person whom the device belongs to now", () => {
    const { signer, made } = identities([newKey]);
    const given = { visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) };
    expect(made.meet(given).tokens(other)).toEqual({ visitor: signer.sign("visitor", other), device: given.device });
  });

  it("are never a forged one", () => {
    const { signer, made } = identities([newKey]);
    const { claimed, tokens } = made.meet({ visitor: `v1.${"A".repeat(44)}`, device: signer.sign("device", device) });
    expect(claimed.device).toBe(device);
    expect(signer.verify("visitor", tokens(claimed.prospect).visitor)).toBe(claimed.prospect);
  });
});
