import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { verifyPersonToken } from "../../src/domain/person-token.ts";

const vector = { site: "acme", subject: "customer-42", exp: 1_780_315_800, secret: "test-vector-secret-of-32-characters-or-more" };
const shortlyBefore = new Date((vector.exp - 600) * 1000);

async function blocks(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(fileURLToPath(new URL("../../docs/identify.md", import.meta.url)), "utf8");
  return new Map([...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

describe("docs/identify.md", () => {
  it("gives a test vector that the service takes, until it expires", async () => {
    const token = (await blocks()).get("")?.trim() ?? "";
    const secrets = new Map([[vector.site, [vector.secret]]]);
    expect(verifyPersonToken(token, secrets, shortlyBefore)).toEqual({ site: vector.site, subject: vector.subject, expiresAt: new Date(vector.exp * 1000) });
    expect(() => verifyPersonToken(token, secrets, new Date(vector.exp * 1000))).toThrow("must not be expired");
  });

  it("takes the vector while the secret is being replaced, and no more when the old one is gone", async () => {
    const token = (await blocks()).get("")?.trim() ?? "";
    const next = "the-next-secret-of-acme-has-32-characters-or-more";
    expect(verifyPersonToken(token, new Map([["acme", [next, vector.secret]]]), shortlyBefore).subject).toBe(vector.subject);
    expect(() => verifyPersonToken(token, new Map([["acme", [next]]]), shortlyBefore)).toThrow("must be signed by a site");
  });

  it("shows code for Node that makes the vector", async () => {
    const found = await blocks();
    const [, code = ""] = [...(await readFile(fileURLToPath(new URL("../../docs/identify.md", import.meta.url)), "utf8")).matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]);
    const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { personToken(subject: string, secret: string, site: string, exp: number): string };
    expect(module.personToken(vector.subject, vector.secret, vector.site, vector.exp)).toBe(found.get("")?.trim());
  });
});
