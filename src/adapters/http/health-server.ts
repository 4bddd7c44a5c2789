import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";

import { ExpectedError, messageOf } from "../../domain/errors.ts";
import { ALIVE, type Health } from "../../shared/health.ts";

/** Answers one path, whatever the method. */
export type Endpoint = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface HealthServerDeps {
  readonly health: Health;
  readonly registry: Registry;
  /** Further paths of the same port. */
  readonly further?: Readonly<Record<string, Endpoint>>;
}

/**
 * `/healthz` (the process answers), `/readyz` (200 or 503 and why) and `/metrics`, as Kubernetes and Prometheus ask for them.
 *
 * @returns closes the port
 * @throws ExpectedError PortInUse or PermissionDenied, naming the port
 */
export async function listenForHealth(port: number, deps: HealthServerDeps): Promise<() => Promise<void>> {
  const endpoints = new Map(Object.entries({ ...standard(deps), ...deps.further }));
  const server = createServer((request, response) => {
    const endpoint = endpoints.get(request.url ?? "");
    if (endpoint === undefined) response.writeHead(404).end();
    else endpoint(request, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(refusal(port, error)));
    server.listen(port, resolve);
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

function standard({ health, registry }: HealthServerDeps): Record<string, Endpoint> {
  return {
    "/healthz": (_request, response) => {
      sendJson(response, 200, ALIVE);
      return Promise.resolve();
    },
    "/readyz": (_request, response) => {
      const report = health.report();
      sendJson(response, report.ready ? 200 : 503, report);
      return Promise.resolve();
    },
    "/metrics": async (_request, response) => {
      response.writeHead(200, { "content-type": registry.contentType }).end(await registry.metrics());
    },
  };
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refusal(port: number, error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE" || code === "EACCES") {
    const kind = code === "EACCES" ? "PermissionDenied" : "PortInUse";
    return new ExpectedError(kind, `DIALPLANE_HEALTH_PORT: ${port} can't be listened on: ${messageOf(error)}`, { field: "DIALPLANE_HEALTH_PORT", cause: error });
  }
  return error;
}
