import type { RequestHandler } from "express";
import type { Clock, Logger } from "../domain/ports.ts";
import { throttle } from "../shared/throttle.ts";

/** How often it is said that a proxy is not trusted. In milliseconds. */
const warnEvery = 3_600_000;

const bracketed = /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i;
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;

/**
 * Prepares `X-Forwarded-For` for Express, which takes a client's address from it when proxies are trusted. Some gateways add the port
 * (`203.0.113.9:51234`): every connection would be an address of its own, and a proxy in the list one that nobody trusts.
 * When nobody is trusted all visitors behind a proxy have its address and share one limit, which is said once in a while.
 */
export function forwardedFor(trusted: readonly string[] | false, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }): RequestHandler {
  const say = (peer: string | undefined) => {
    logger.warn({ peer }, "X-Forwarded-For arrives and no proxy is trusted: visitors behind a proxy share one rate limit; DIALPLANE_TRUSTED_PROXIES names proxies");
  };
  const warn = throttle(say, warnEvery, () => clock.now().getTime());
  return (request, _response, next) => {
    const header = request.headers["x-forwarded-for"];
    if (header !== undefined) {
      if (trusted === false) warn(request.socket.remoteAddress);
      else request.headers["x-forwarded-for"] = String(header).split(",").map(withoutPort).join(",");
    }
    next();
  };
}

/** `203.0.113.9:51234`, `[2001:db8::1]:443` and `[2001:db8::1]` without what is not the address; anything else as it is. */
export function withoutPort(text: string): string {
  const address = text.trim();
  return (bracketed.exec(address) ?? withPort.exec(address))?.[1] ?? address;
}
