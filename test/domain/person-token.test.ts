import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { signPersonToken, verifyPersonToken } from "../../src/domain/person-token.ts";

const secret = "test-vector-secret-of-32-characters-or-more";
const sites = new Map([["acme", ["an-older-secret-that-is-still-accepted", secret]]]);
const now = new Date("2026-06-01T12:00:00Z");
const inTenMinutes = new Date("2026-06-01T12:10:00Z");

function jwt(payload: unknown, header: unknown = { alg: "HS256", typ: "JWT" }, key = secret): string {
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}
const exp = inTenMinutes.getTime() / 1000;

describe("person tokens", () => {
  it("say who a site vouches for", () => {
    const token = signPersonToken({ site: "acme", subject: "customer-42", expiresAt: inTenMinutes }, secret);
    expect(verifyPersonToken(token, sites, now)).toEqual({ site: "acme", subject: "customer-42", expiresAt: inTenMinutes });
  });

  it("are JSON Web Tokens, made as the documentation's Node example and test vector say", () => {
    const token = signPersonToken({ site: "acme", subject: "customer-42", expiresAt: inTenMinutes }, secret);
    expect(token).toBe(jwt({ iss: "acme", sub: "customer-42", exp }));
    expect(readFileSync("docs/identify.md", "utf8")).toContain(`\n${token}\n`);
  });

  it("may have claims of other readers, and be signed with a secret that is being replaced", () => {
    const token = jwt({ iss: "acme", sub: "ünïcode 名", exp, iat: 1, role: "admin" }, undefined, "an-older-secret-that-is-still-accepted");
    expect(verifyPersonToken(token, sites, now).subject).toBe("ünïcode 名");
  });

  const seconds = now.getTime() / 1000;
  it.each([
    ["a subject of 256 characters that a library escapes", { sub: "名".repeat(256) }],
    ["256 halves of characters beyond the basic plane", { sub: "😀".repeat(128) }],
    ["claims of other readers", { roles: Array.from({ length: 90 }, (_, i) => `department-${String(i).padStart(3, "0")}-editor`) }],
    ["an expiry of a back end whose clock is a minute late", { exp: seconds - 59 }],
    ["a day of a back end whose clock is a minute early", { exp: seconds + 86_400 + 60 }],
    ["a beginning of a back end whose clock is a minute early", { nbf: seconds + 60, iat: seconds + 60 }],
    ["a beginning that is over, or none", { nbf: null, iat: seconds - 7200 }],
    ["whatever `iat` says: it is for other readers", { iat: seconds + 7200 }],
  ])("may have %s", (_what, claims) => {
    // As PHP and Python write it unless told otherwise.
    const escaped = JSON.stringify({ iss: "acme", sub: "x", exp, ...claims }).replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const signed = [JSON.stringify({ alg: "HS256", typ: "JWT" }), escaped].map((part) => Buffer.from(part).toString("base64url")).join(".");
    const token = `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
    expect(verifyPersonToken(token, sites, now)).toMatchObject({ site: "acme", subject: "sub" in claims ? claims.sub : "x" });
  });

  it.each([
    ["no token at all", ""],
    ["something else", "hello"],
    ["an unsigned token (alg none)", `${jwt({ iss: "acme", sub: "x", exp }, { alg: "none" }).split(".").slice(0, 2).join(".")}.`],
    ["a token that says alg none but is signed", jwt({ iss: "acme", sub: "x", exp }, { alg: "none" })],
    ["another algorithm's name", jwt({ iss: "acme", sub: "x", exp }, { alg: "RS256" })],
    ["one whose header asks for what this service does not know (crit)", jwt({ iss: "acme", sub: "x", exp }, { alg: "HS256", crit: ["b64"], b64: false })],
    ["another site's secret", jwt({ iss: "acme", sub: "x", exp }, undefined, "some-other-secret-some-other-secret")],
    ["an unknown site", jwt({ iss: "evil", sub: "x", exp })],
    ["a site named like a property", jwt({ iss: "constructor", sub: "x", exp })],
    ["no subject", jwt({ iss: "acme", exp })],
    ["an empty subject", jwt({ iss: "acme", sub: "", exp })],
    ["a subject with NUL", jwt({ iss: "acme", sub: "a\u0000b", exp })],
    ["a subject with half a surrogate pair", jwt({ iss: "acme", sub: "\ud800", exp })],
    ["a subject of 257 characters", jwt({ iss: "acme", sub: "x".repeat(257), exp })],
    ["a subject that is a number", jwt({ iss: "acme", sub: 42, exp })],
    ["no expiry", jwt({ iss: "acme", sub: "x" })],
    ["an expiry that is a text", jwt({ iss: "acme", sub: "x", exp: String(exp) })],
    ["an expiry beyond all dates", jwt({ iss: "acme", sub: "x", exp: 1e300 })],
    ["a token that expired a minute ago", jwt({ iss: "acme", sub: "x", exp: now.getTime() / 1000 - 60 })],
    ["a token for more than a day", jwt({ iss: "acme", sub: "x", exp: now.getTime() / 1000 + 86_461 })],
    ["a token that is good in more than a minute", jwt({ iss: "acme", sub: "x", exp, nbf: now.getTime() / 1000 + 61 })],
    ["a beginning that is a text", jwt({ iss: "acme", sub: "x", exp, nbf: "now" })],
    ["claims of more than 4,000 characters", jwt({ iss: "acme", sub: "x", exp, padding: "x".repeat(3000) })],
    ["a list as payload", jwt(["acme", "x", exp])],
    ["null as payload", jwt(null)],
    ["10 kB", "a".repeat(10_000)],
  ])("refuse %s, naming the field", (_what, token) => {
    expect(() => verifyPersonToken(token, sites, now)).toThrow(expect.objectContaining({ code: "Forbidden", field: "token" }));
  });

  it("that were changed after signing are refused", () => {
    const [head, , signature] = jwt({ iss: "acme", sub: "x", exp }).split(".");
    const other = Buffer.from(JSON.stringify({ iss: "acme", sub: "y", exp })).toString("base64url");
    expect(() => verifyPersonToken(`${head}.${other}.${signature}`, sites, now)).toThrow("must be signed by a site");
  });
});
