import type { Request, RequestHandler } from "express";
import type { z } from "zod";
import { ampIdentity, publisherOrigin } from "./amp-origins.ts";
import { isCrawler } from "../domain/bots.ts";
import { ExpectedError } from "../domain/errors.ts";
import { namespaceOf } from "../domain/seniority.ts";
import { sessionAttributes } from "./attributes.ts";
import { givenTokens } from "./cookies.ts";
import { foreignOrigin } from "./cors.ts";
import { within } from "./deadline.ts";
import type { GivenTokens } from "./identities.ts";
import type { IngressMetrics } from "./metrics.ts";
import { askForNumbers, type Consent, type ElementAnswer, type NumbersDeps } from "./numbers.ts";
import { ampQuery, parseQuery } from "./requests.ts";

type AmpQuery = z.infer<typeof ampQuery>;

/** What stands for a consent, or for the lack of one: of AMP's CONSENT_STATE, and our own word. */
const consents: Partial<Record<NonNullable<AmpQuery["consent"]>, Consent>> = { granted: "granted", sufficient: "granted", not_required: "granted", denied: "denied", insufficient: "denied" };

/**
 * `GET /v1/amp`: what `<amp-call-tracking config="...">` asks for (https://amp.dev/documentation/components/amp-call-tracking).
 * An answer without a number leaves the link as it is written.
 */
export function ampRoute(deps: NumbersDeps & { readonly counts: IngressMetrics; readonly answerWithinMilliseconds: number }): RequestHandler {
  return async (request, response) => {
    const query = parseQuery(ampQuery, request.query);
    const origin = originOf(deps, request, query);
    const own = ownTokens(deps, request);
    const tokens = own ?? derivedTokens(deps, query);
    // Nobody would know who it is next time: every look at the page would take another number.
    if (tokens === null) {
      response.json({});
      return;
    }
    const asked = askForNumbers(deps, {
      elements: [{ pool: query.pool, mediaElement: query.mediaElement, path: "" }],
      tokens,
      derivedTokens: own === null,
      address: request.ip ?? "",
      attributes: sessionAttributes(query),
      consent: consents[query.consent ?? ""] ?? null,
      origin,
      crawler: isCrawler(request.headers["user-agent"]),
    });
    const { elements } = await within(deps.answerWithinMilliseconds, asked);
    for (const element of elements) deps.counts.elements.inc({ status: element.status });
    response.json(shape(elements[0]));
  };
}

/**
 * The origin of the publisher whose page it is, in whatever cache. Anybody's page can make a browser send a GET without `Origin`, as for
 * an image; a page of the service's own origin says so in a header that no other page may send (https://amp.dev, "CORS in AMP").
 */
function originOf({ pools }: NumbersDeps, request: Request, { pool }: AmpQuery): string | undefined {
  const { origin } = request.headers;
  if (origin === undefined && request.headers["amp-same-origin"] !== "true") throw foreignOrigin("must be sent, or AMP-Same-Origin: true");
  const entry = pools().get(pool);
  if (entry === undefined) throw new ExpectedError("NotFound", "must be an existing NumberPool", { field: "pool" });
  if (origin === undefined) return undefined;
  const publisher = publisherOrigin(entry, origin);
  if (publisher === null) throw foreignOrigin(`must be among the allowedOrigins of ${pool}, or that of an AMP cache for one of them`);
  return publisher;
}

/** Null as well where the cookies are none of ours any more, as when a key was replaced: no answer here renews them, and every look would be somebody new. */
function ownTokens({ identities }: NumbersDeps, request: Request): GivenTokens | null {
  const own = givenTokens(request, {});
  return own.visitor !== undefined && !identities.meet(own).isNew ? own : null;
}

function derivedTokens({ identities }: NumbersDeps, { client, pool }: AmpQuery): GivenTokens | null {
  return client === undefined || client === "" ? null : identities.seal(ampIdentity(namespaceOf(pool), client));
}

function shape(element: ElementAnswer | undefined): object {
  if (element === undefined || element.number === null) return {};
  return { phoneNumber: element.number, formattedPhoneNumber: element.display };
}
