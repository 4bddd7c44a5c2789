import type { Request, Response } from "express";
import type { GivenTokens, IdentityTokens } from "./identities.ts";

/** 400 days, the longest that browsers keep a cookie (RFC 6265bis section 5.5). */
const maxAgeSeconds = 34_560_000;

/**
 * First-party cookies, in addition to the page's storage: browsers that empty script-writable storage after a week keep
 * cookies set by a server of the same site. Never for a foreign site's page (`Sec-Fetch-Site`), where they would be tracking.
 */
export function keepTokens(request: Request, response: Response, tokens: IdentityTokens): void {
  setCookies(request, response, { ...tokens, maxAgeSeconds });
}

/** The browser removes the cookies: the visitor took a consent back. */
export function forgetTokens(request: Request, response: Response): void {
  setCookies(request, response, { visitor: "", device: "", maxAgeSeconds: 0 });
}

function setCookies(request: Request, response: Response, { visitor, device, maxAgeSeconds }: IdentityTokens & { readonly maxAgeSeconds: number }): void {
  const site = request.headers["sec-fetch-site"];
  if (site !== "same-origin" && site !== "same-site") return;
  const rest = `; Path=/v1; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${request.secure ? "; Secure" : ""}`;
  response.append("Set-Cookie", [`dp_visitor=${visitor}${rest}`, `dp_device=${device}${rest}`]);
}

/** What the body says comes first: apps and storage know best. */
export function givenTokens(request: Request, body: GivenTokens): GivenTokens {
  const { cookie } = request.headers;
  if (cookie === undefined) return body;
  return { visitor: body.visitor ?? valueOf(cookie, "dp_visitor"), device: body.device ?? valueOf(cookie, "dp_device") };
}

/** The browser knows the service by a cookie, and sends it for whatever page of the same site. */
export function hasCookies({ headers: { cookie } }: Request): boolean {
  return cookie !== undefined && valueOf(cookie, "dp_device") !== undefined;
}

/** Tokens have no characters that cookies would need to encode. */
function valueOf(header: string, name: string): string | undefined {
  for (const pair of header.slice(0, 8192).split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
