import { AriError, type AriRest } from "../../../src/domain/ports.ts";

/** ARI over plain HTTP: what the product's client does over its WebSocket. */
export function ariOverHttp(ari: { readonly url: string; readonly user: string; readonly password: string }): AriRest {
  const authorization = `Basic ${Buffer.from(`${ari.user}:${ari.password}`).toString("base64")}`;
  return {
    async request(method, path, query = {}, body) {
      const url = `${ari.url}${path}?${new URLSearchParams(query).toString()}`;
      const headers = { authorization, "content-type": "application/json" };
      const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      const text = await response.text();
      if (response.status >= 300) throw new AriError(response.status, `${method} ${path}`, text);
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    },
  };
}
