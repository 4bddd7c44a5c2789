import type { Request, RequestHandler } from "express";
import { isCrawler } from "../domain/bots.ts";
import { sessionAttributes } from "./attributes.ts";
import { givenTokens, keepTokens } from "./cookies.ts";
import { within } from "./deadline.ts";
import { nobody } from "./identities.ts";
import { sendJson } from "./json-body.ts";
import type { IngressMetrics } from "./metrics.ts";
import { askForNumbers, type NumbersAnswer, type NumbersDeps, type NumbersRequest } from "./numbers.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { parseNumbers, type BatchRequest, type SingleRequest } from "./requests.ts";

/** Each may be a row that is kept: so many are as much as a request. */
const elementsARequest = 4;

interface NumbersRouteDeps extends NumbersDeps {
  readonly counts: IngressMetrics;
  readonly limiter: Pick<RateLimiter, "charge">;
  readonly answerWithinMilliseconds: number;
}

/** `POST /v1/numbers`: one element, answered flat, or many, answered as `elements`. */
export function numbersRoute(deps: NumbersRouteDeps): RequestHandler {
  return async (request, response) => {
    const done = deps.counts.seconds.startTimer();
    const body = parseNumbers(request.body);
    if ("elements" in body) deps.limiter.charge(request.ip ?? "", Math.ceil(body.elements.length / elementsARequest) - 1);
    const answer = await within(deps.answerWithinMilliseconds, askForNumbers(deps, numbersRequest(request, body)));
    if (answer.tokens !== null) keepTokens(request, response, answer.tokens);
    for (const element of answer.elements) deps.counts.elements.inc({ status: element.status });
    sendJson(response, shape(body, answer));
    done();
  };
}

function numbersRequest(request: Request, body: SingleRequest | BatchRequest): NumbersRequest {
  return {
    elements:
      "elements" in body
        ? body.elements.map((element, index) => ({ ...element, path: `elements[${index}].` }))
        : [{ pool: body.pool, mediaElement: body.mediaElement, path: "" }],
    tokens: givenTokens(request, body),
    derivedTokens: false,
    address: request.ip ?? "",
    attributes: sessionAttributes(body),
    consent: body.consent ?? null,
    origin: request.headers.origin,
    crawler: isCrawler(request.headers["user-agent"]),
  };
}

function shape(body: SingleRequest | BatchRequest, answer: NumbersAnswer): object {
  const tokens = answer.tokens ?? nobody;
  return "elements" in body ? { ...tokens, elements: answer.elements } : { ...answer.elements[0], ...tokens };
}
