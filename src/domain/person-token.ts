import { createHmac, timingSafeEqual } from "node:crypto";
import { ExpectedError } from "./errors.ts";

/**
 * What a site's back end says about a person who logged in: "whoever holds this is `subject` of `site`, until `expiresAt`".
 *
 * A JSON Web Token (RFC 7519) in compact form with HMAC-SHA-256 ("HS256", RFC 7518 section 3.2), so that every language has
 * a library for it: header `{"alg":"HS256","typ":"JWT"}`, claims `iss` (the site), `sub` (the person, opaque to us: a user
 * number or a hash, better no e-mail address), `exp` and, where there is one, `nbf` (seconds since 1970). Other claims are ignored. docs/identify.md shows how to make one.
 */
export interface PersonClaims {
  readonly site: string;
  readonly subject: string;
  readonly expiresAt: Date;
}

/** Site name -> secrets that its back end may sign with; several while a secret is being replaced. */
export type SiteSecrets = ReadonlyMap<string, readonly string[]>;

/** A token is made for one page load; one that is good for longer is a mistake of the back end. In seconds. */
export const maxPersonTokenSeconds = 86_400;
/** The clocks of the site's back end and of this machine may differ by so much (RFC 7519 section 4.1.4). In seconds. */
const leewaySeconds = 60;
/** The three parts of `tokenForm` with their dots. A subject of 256 characters takes 1,536 bytes where JSON escapes them all, and libraries add claims for other readers. */
export const maxPersonTokenLength = 4557;

/** What a site is called. */
export const siteForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const tokenForm = /^([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{43})$/;
const header = Buffer.from(JSON.stringify({ alg: "HS256", typ: "JWT" })).toString("base64url");

export function signPersonToken(claims: PersonClaims, secret: string): string {
  const payload = { iss: claims.site, sub: claims.subject, exp: Math.floor(claims.expiresAt.getTime() / 1000) };
  const signed = `${header}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}`;
  return `${signed}.${mac(signed, secret).toString("base64url")}`;
}

/** @throws ExpectedError `Forbidden`, field `token`: the same words for every forgery, so that nothing is learned from them. */
export function verifyPersonToken(token: string, secrets: SiteSecrets, now: Date): PersonClaims {
  const parts = tokenForm.exec(token);
  if (parts === null) throw refused("must be a JSON Web Token signed with HS256");
  const [, head = "", body = "", signature = ""] = parts;
  const payload = isOurs(parseObject(head)) ? parseObject(body) : null;
  const claims = payload === null ? null : claimsOf(payload);
  const given = Buffer.from(signature, "base64url");
  const signed = (secret: string) => timingSafeEqual(mac(`${head}.${body}`, secret), given);
  if (claims === null || secrets.get(claims.site)?.some(signed) !== true) throw refused("must be signed by a site that this service knows");
  assertTime(claims, payload?.["nbf"], now);
  return claims;
}

/** Whoever says that more must be understood (`crit`) means it (RFC 7515 section 4.1.11): no more is. */
function isOurs(header: Readonly<Record<string, unknown>> | null): boolean {
  return header?.["alg"] === "HS256" && header["crit"] === undefined;
}

function assertTime({ expiresAt }: PersonClaims, notBefore: unknown, now: Date): void {
  const secondsLeft = (expiresAt.getTime() - now.getTime()) / 1000;
  if (secondsLeft <= -leewaySeconds) throw refused("must not be expired");
  if (secondsLeft > maxPersonTokenSeconds + leewaySeconds) throw refused(`must expire within ${maxPersonTokenSeconds} seconds`);
  if (isEarly(notBefore, now)) throw refused("must be valid already (nbf)");
}

/** Whoever says from when a token is good means it (RFC 7519 section 4.1.5). `iat` only tells when it was made. */
function isEarly(notBefore: unknown, now: Date): boolean {
  if (notBefore === undefined || notBefore === null) return false;
  return typeof notBefore !== "number" || notBefore > now.getTime() / 1000 + leewaySeconds;
}

function claimsOf({ iss, sub, exp }: Readonly<Record<string, unknown>>): PersonClaims | null {
  if (typeof iss !== "string" || !siteForm.test(iss) || !isSubject(sub)) return null;
  if (typeof exp !== "number" || !Number.isFinite(exp) || exp < 0 || exp > 1e11) return null;
  return { site: iss, subject: sub, expiresAt: new Date(exp * 1000) };
}

/** No control characters and no lone surrogates: Postgres can store neither NUL nor the latter. */
function isSubject(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= 256 && value.isWellFormed() && !/\p{Cc}/u.test(value);
}

function parseObject(base64url: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function mac(signed: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(signed).digest();
}

function refused(message: string): ExpectedError {
  return new ExpectedError("Forbidden", message, { field: "token" });
}
