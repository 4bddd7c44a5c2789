import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ExpectedError, type ErrorCode } from "../domain/errors.ts";

export interface Listening {
  readonly server: Server;
  readonly port: number;
  /** Takes no new requests and waits for those under way; cuts what is left after `graceSeconds`. */
  close(graceSeconds: number): Promise<void>;
}

const causes: Readonly<Record<string, ErrorCode>> = { EADDRINUSE: "PortInUse", EACCES: "PermissionDenied", EADDRNOTAVAIL: "InvalidInput" };

/** @throws ExpectedError `PortInUse`, `PermissionDenied` or `InvalidInput`, field `DIALPLANE_HTTP_PORT`. */
export async function listen(handler: RequestListener, host: string, port: number): Promise<Listening> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 15_000, maxHeaderSize: 16_384 }, handler);
  // Longer than the usual idle time of load balancers (60 s), so that it's they who close.
  server.keepAliveTimeout = 65_000;
  server.maxHeadersCount = 100;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = causes[error.code ?? ""];
      reject(code === undefined ? error : new ExpectedError(code, `cannot listen on ${host}:${port}: ${error.message}`, { field: "DIALPLANE_HTTP_PORT" }));
    });
    server.listen(port, host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port, close: (graceSeconds) => close(server, graceSeconds) };
}

function close(server: Server, graceSeconds: number): Promise<void> {
  return new Promise((resolve) => {
    // Connections become idle one by one as their answers end; Node closes only those that are idle at the beginning.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const cut = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
  });
}
