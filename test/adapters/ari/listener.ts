import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

/** Stands between a client and Asterisk and writes down what is asked for, and which way. */
export interface Listener extends AsyncDisposable {
  readonly url: string;
  /** Over HTTP, and answered: `GET channels`. */
  readonly http: readonly string[];
  /** Over a WebSocket. */
  readonly sockets: readonly string[];
}

/** @param target base address of ARI */
export async function startListener(target: string): Promise<Listener> {
  const http: string[] = [];
  const sockets: string[] = [];
  const open = new Set<WebSocket>();
  const server = createServer((request, response) => {
    void (async () => {
      const { method = "", url = "", headers } = request;
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const answer = await fetch(target + below(url), { method, headers: own(headers), ...(body.length === 0 ? {} : { body }) });
      const text = await answer.text();
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "application/json" }).end(text);
      http.push(asked(method, below(url)));
    })().catch(() => response.destroy());
  });
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (near, { url, headers }) => {
    const far = new WebSocket(target.replace(/^http/, "ws") + below(url ?? ""), { headers: own(headers), perMessageDeflate: false });
    const opened = new Promise<void>((resolve) => far.once("open", () => resolve()));
    near.on("message", (data: Buffer) => {
      const { method = "", uri = "" } = JSON.parse(data.toString("utf8")) as { method?: string; uri?: string };
      sockets.push(asked(method, uri));
      void opened.then(() => far.send(data.toString("utf8")));
    });
    far.on("message", (data: Buffer) => near.send(data.toString("utf8")));
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on("error", () => undefined).on("close", () => other.terminate());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ari`,
    http,
    sockets,
    [Symbol.asyncDispose]: async () => {
      open.forEach((socket) => socket.terminate());
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function asked(method: string, url: string): string {
  return `${method} ${url.replace(/^\//, "").replace(/\?.*/, "")}`;
}

function below(url: string): string {
  return url.replace(/^\/ari/, "");
}

function own(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const { authorization, "content-type": type } = headers;
  return Object.fromEntries(Object.entries({ authorization, "content-type": type }).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
