import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";

const LOOPBACK = "127.0.0.1";

/** A wire to the API server that can be cut. TLS passes through untouched. */
export interface Wire extends AsyncDisposable {
  /** What a client takes for the API server. */
  readonly url: string;
  /** Connections that are open now. */
  connections(): number;
  /** Connections that were ever opened. */
  opened(): number;
  /** Every open connection ends with a TCP reset, at once. */
  reset(): void;
  /** From now on no byte passes and nobody is told: as a firewall that lost its state, or a peer that lost its power. */
  freeze(): void;
  /** New connections work again; those that were frozen stay so. */
  thaw(): void;
  /** From now on every new connection is reset; what is open too. */
  cut(): void;
  mend(): void;
}

/** @param target URL of the API server */
export async function startWire(target: string): Promise<Wire> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let [frozen, isCut, opened] = [false, false, 0];
  const server = createTcpServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => undefined);
    if (isCut) {
      client.resetAndDestroy();
      return;
    }
    opened += 1;
    const upstream = connect({ host: hostname, port: Number(port) });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on("error", () => to.destroy());
      from.once("close", () => {
        pairs.delete(pair);
        to.destroy();
      });
      if (!frozen) from.pipe(to);
    }
  });
  const reset = () => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  await listen(server);
  return {
    url: `https://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    connections: () => pairs.size,
    opened: () => opened,
    reset,
    freeze: () => {
      frozen = true;
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream).pause();
        upstream.unpipe(client).pause();
      }
    },
    thaw: () => (frozen = false),
    cut: () => {
      isCut = true;
      reset();
    },
    mend: () => (isCut = false),
    [Symbol.asyncDispose]: () => {
      reset();
      return close(server);
    },
  };
}

export interface FrontRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly isWatch: boolean;
}

/** An answer instead of the API server's. */
export interface FrontAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A front end of the API server that answers for it when told to, as load balancers and overloaded API servers do. Speaks plain HTTP. */
export interface Front extends AsyncDisposable {
  readonly url: string;
  /** Asked at every request; undefined lets it pass. Takes the place of the one before. */
  answerWith(decide: (request: FrontRequest) => FrontAnswer | undefined): void;
  /** Every open connection ends, in the middle of whatever it tells. */
  breakOff(): void;
  /** Everything passes again. */
  pass(): void;
  /** Every request since the start. */
  readonly requests: readonly FrontRequest[];
  /** How many of them were answered here. */
  answered(): number;
}

export interface FrontTarget {
  readonly url: string;
  readonly ca: string;
}

export async function startFront({ url, ca }: FrontTarget): Promise<Front> {
  const agent = new Agent({ keepAlive: true, ca });
  const requests: FrontRequest[] = [];
  let decide: (request: FrontRequest) => FrontAnswer | undefined = () => undefined;
  let answered = 0;
  const server = createHttpServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    const request = { method: incoming.method ?? "GET", path, isWatch: new URL(path, url).searchParams.has("watch") };
    requests.push(request);
    const answer = decide(request);
    if (answer === undefined) {
      forward({ incoming, outgoing, target: new URL(path, url), agent });
      return;
    }
    answered += 1;
    incoming.resume();
    outgoing.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers }).end(answer.body ?? "");
  });
  await listen(server);
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    answerWith: (next) => (decide = next),
    breakOff: () => server.closeAllConnections(),
    pass: () => (decide = () => undefined),
    requests,
    answered: () => answered,
    [Symbol.asyncDispose]: () => {
      agent.destroy();
      server.closeAllConnections();
      return close(server);
    },
  };
}

interface Forwarding {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly target: URL;
  readonly agent: Agent;
}

function forward({ incoming, outgoing, target, agent }: Forwarding): void {
  const upstream = httpsRequest(target, { method: incoming.method ?? "GET", headers: incoming.headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    answer.on("error", () => outgoing.destroy());
    answer.pipe(outgoing);
  });
  upstream.on("error", () => outgoing.destroy());
  outgoing.on("close", () => upstream.destroy());
  incoming.pipe(upstream);
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, LOOPBACK, resolve));
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
