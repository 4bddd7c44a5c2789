import { createServer, type RequestListener } from "node:http";
import type { Registry } from "prom-client";

import { ExpectedError, messageOf } from "../../domain/errors.ts";
import type { Health } from "../../shared/health.ts";

/**
 * `/healthz` (the process answers), `/readyz` (200 or 503 and why) and `/metrics`, as Kubernetes and Prometheus ask for them.
 *
 * @returns closes the port
 * @throws ExpectedError PortInUse or PermissionDenied, naming the port
 */
export async function listenForHealth(port: number, health: Health, registry: Registry): Promise<() => Promise<void>> {
  const server = createServer(answer(health, registry));
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

function answer(health: Health, registry: Registry): RequestListener {
  return (request, response) => {
    switch (request.url) {
      case "/healthz":
        response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
        break;
      case "/readyz": {
        const report = health.report();
        response.writeHead(report.ready ? 200 : 503, { "content-type": "application/json" }).end(JSON.stringify(report));
        break;
      }
      case "/metrics":
        registry.metrics().then(
          (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
        break;
      default:
        response.writeHead(404).end();
    }
  };
}

function refusal(port: number, error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE" || code === "EACCES") {
    const kind = code === "EACCES" ? "PermissionDenied" : "PortInUse";
    return new ExpectedError(kind, `the health port ${port} can't be listened on: ${messageOf(error)}`, { field: "DIALPLANE_HEALTH_PORT", cause: error });
  }
  return error;
}
