import { ExpectedError, rootCauseOf } from "../../domain/errors.ts";
import { AriError, type AriRest } from "../../domain/ports.ts";
import { asObject, asString, parseJson } from "./json.ts";

export interface AriHttpOptions {
  /** Base address: `http://127.0.0.1:8088/ari`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Bound of one request; default 180,000: the reload of a very large dialplan takes minutes. */
  readonly requestTimeoutMs?: number;
}

/**
 * ARI over HTTP, for what takes long. Asterisk works the requests of a WebSocket off one after the other: a reload of one
 * second there would keep every call waiting for a second.
 */
export function createAriHttp(options: AriHttpOptions): AriRest {
  const authorization = basicAuthorization(options);
  return {
    request: async (method, path, query, body) => {
      const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
      const response = await send(`${options.url}${path}${search}`, {
        method,
        headers: { authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        signal: AbortSignal.timeout(options.requestTimeoutMs ?? 180_000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = parseJson(response.text);
      if (response.status >= 300) {
        throw new AriError(response.status, `${method} ${path}`, asString(asObject(answer)["message"]).slice(0, 200) || "no reason given");
      }
      return answer;
    },
  };
}

/** RFC 7617. */
export function basicAuthorization({ user, password }: Pick<AriHttpOptions, "user" | "password">): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** @throws ExpectedError Unavailable when nobody listens or no answer came in time */
export async function send(url: string | URL, init: RequestInit): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, init);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new ExpectedError("Unavailable", `Asterisk could not be asked: ${rootCauseOf(error)}`, { cause: error });
  }
}
