import { fileURLToPath } from "node:url";
import express, { Router, type Request, type Response } from "express";
import { parseE164 } from "../src/domain/e164.ts";
import { signPersonToken } from "../src/domain/person-token.ts";
import type { CallResult } from "./pstn/call-result.ts";
import type { Pstn } from "./pstn/types.ts";

/** The name under which the demo site's back end vouches for people. */
export const SITE = "acme";
/** Whoever calls from the page's button, as the carrier shows it. */
const CALLER = "+12025550172";
const TOKEN_SECONDS = 300;
const TALK_SECONDS = 3;

export interface DemoPages {
  /** What the site's back end signs person tokens with. */
  readonly secret: string;
  readonly pstn: Pstn;
}

/** The demo site and its back end: who logged in, and a way to have somebody call. */
export function demoPages({ secret, pstn }: DemoPages): Router {
  const pages = Router();
  pages.get("/demo/token", (request, response) => {
    const { subject } = request.query;
    if (typeof subject !== "string" || !/^[A-Za-z0-9._-]{1,40}$/.test(subject)) {
      refuse(response, "subject: must be 1 to 40 letters, digits, dots, underscores or dashes");
      return;
    }
    const expiresAt = new Date(Date.now() + TOKEN_SECONDS * 1000);
    response.set("cache-control", "no-store").json({ token: signPersonToken({ site: SITE, subject, expiresAt }, secret) });
  });
  pages.post("/demo/call", express.json({ limit: "1kb" }), (request, response) => call(pstn, request, response));
  pages.use(express.static(fileURLToPath(new URL("../examples/web/", import.meta.url))));
  return pages;
}

async function call(pstn: Pstn, request: Request, response: Response): Promise<void> {
  const number = numberIn(request.body);
  if (number === null) {
    refuse(response, "number: must be an E.164 number such as +12025550110");
    return;
  }
  const result = await pstn.call({ from: CALLER, to: number, talkSeconds: TALK_SECONDS });
  response.json({ message: inWords(result), result });
}

function numberIn(body: unknown): string | null {
  const number = typeof body === "object" && body !== null && "number" in body ? body.number : null;
  return typeof number === "string" ? parseE164(number) : null;
}

function inWords({ answered, answeredBy, heardByCaller, heardByAnswerer, responses }: CallResult): string {
  if (!answered) return `Not answered: ${responses.at(-1)?.code ?? "no"} ${responses.at(-1)?.reason ?? "response"}`;
  const both = heardByCaller?.ok === true && heardByAnswerer?.ok === true;
  return `${answeredBy ?? "Somebody"} answered; ${both ? "both heard each other" : "they did NOT hear each other"}.`;
}

function refuse(response: Response, detail: string): void {
  response.status(400).type("application/problem+json").send(JSON.stringify({ title: "Bad Request", status: 400, detail }));
}
