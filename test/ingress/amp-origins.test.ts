import { describe, expect, it } from "vitest";
import { ampIdentity, ampOrigins, cacheOrigins, publisherOrigin } from "../../src/ingress/amp-origins.ts";
import { aPool } from "../domain/builders.ts";

describe("origins of pages in AMP caches", () => {
  it.each<[string, string, string | null]>([
    ["dots become dashes", "https://www.example.com", "www-example-com"],
    ["dashes are doubled", "https://hello-world.com", "hello--world-com"],
    ["doubled dashes as well", "https://hello--world.com", "hello----world-com"],
    ["letters beyond ASCII go through Unicode and back", "https://xn--mnchen-3ya.de", "xn--mnchen-de-q9a"],
    ["what has no dot is a hash", "https://localhost", "jgla3zmib2ggq5buc4hwi5taloh6jlvzukddfr4zltz3vay5s5rq"],
    ["what is too long is a hash", `https://${"long-".repeat(9)}x.example.com`, "hash"],
    ["what is written in two directions is a hash", "https://xn--4gbrim.example", "hash"],
    ["no cache takes plain http", "http://www.example.com", null],
    ["nor another port", "https://www.example.com:8443", null],
    ["nor an address", "https://[::1]", null],
    ["nor an app", "capacitor://localhost", null],
  ])("%s", (_what, origin, prefix) => {
    const origins = cacheOrigins(origin);
    if (prefix === null) expect(origins).toEqual([]);
    else if (prefix === "hash") expect(origins[0]).toMatch(/^https:\/\/[a-z2-7]{52}\.cdn\.ampproject\.org$/);
    else expect(origins).toEqual([`https://${prefix}.cdn.ampproject.org`, `https://${prefix}.www.bing-amp.com`]);
  });

  const pool = aPool({ allowedOrigins: ["https://www.acme.example", "http://localhost:3000"] });
  it.each([
    ["the origin itself", "https://www.acme.example", "https://www.acme.example"],
    ["its page in a cache", "https://www-acme-example.cdn.ampproject.org", "https://www.acme.example"],
    ["somebody else's page in the cache", "https://evil-example.cdn.ampproject.org", null],
    ["the cache itself", "https://cdn.ampproject.org", null],
    ["a name that only looks like the cache's", "https://www-acme-example.cdn.ampproject.org.evil.example", null],
  ])("%s is known to be the publisher's or is not", (_what, origin, publisher) => {
    expect(publisherOrigin(pool, origin)).toBe(publisher);
    expect(ampOrigins(new Map([[pool.key, pool]])).has(origin)).toBe(publisher !== null);
  });
});

describe("who an AMP client is", () => {
  it("is the same for ever, and another in another namespace", () => {
    const one = ampIdentity("shop", "amp-1");
    expect(one).toEqual({ prospect: "6889522c-aca4-87e7-ae22-8a5ca18fed5f", device: "b5627650-5039-8400-b8bb-e09ddd3c5619" });
    const ids = [one, ampIdentity("shop", "amp-2"), ampIdentity("other", "amp-1")].flatMap(({ prospect, device }) => [prospect, device]);
    expect(new Set(ids).size).toBe(6);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
