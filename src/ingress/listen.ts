import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createDoor, type AddressInfo, type ListenOptions, type Server as NetServer } from "node:net";
import { ExpectedError, type ErrorCode } from "../domain/errors.ts";

export interface Listening {
  readonly server: Server;
  readonly port: number;
  /** Takes no new requests and waits for those under way; cuts what is left after `graceSeconds`. */
  close(graceSeconds: number): Promise<void>;
}

const causes: Readonly<Record<string, { readonly code: ErrorCode; readonly field: "DIALPLANE_HTTP_PORT" | "DIALPLANE_HTTP_ADDRESS" }>> = {
  EADDRINUSE: { code: "PortInUse", field: "DIALPLANE_HTTP_PORT" },
  EACCES: { code: "PermissionDenied", field: "DIALPLANE_HTTP_PORT" },
  EADDRNOTAVAIL: { code: "InvalidInput", field: "DIALPLANE_HTTP_ADDRESS" },
  ENOTFOUND: { code: "InvalidInput", field: "DIALPLANE_HTTP_ADDRESS" },
  EAI_AGAIN: { code: "InvalidInput", field: "DIALPLANE_HTTP_ADDRESS" },
};

/**
 * Sockets that share the port. Node takes one new connection from each in each turn of its event loop (libuv since 1.45), and beyond
 * capacity a turn is as long as all open connections' requests take: with one socket a crowd of new connections, and the probes of
 * Kubernetes with them, would be let in at ten a second. docs/decisions/0020.
 */
const doors = canSharePort() ? 256 : 1;
/** Connections that the kernel keeps for each until they are taken. One beyond it is dropped without a word; its client tries again after 1, 3, 7 s. */
const backlog = 512;

/** @throws ExpectedError `PortInUse`, `PermissionDenied` or `InvalidInput`, naming the variable. */
export async function listen(handler: RequestListener, host: string, port: number): Promise<Listening> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 15_000, maxHeaderSize: 16_384 }, handler);
  // Longer than the usual idle time of load balancers (60 s), so that it's they who close.
  server.keepAliveTimeout = 65_000;
  server.maxHeadersCount = 100;
  if (port !== 0) await assertNobodyListens(host, port);
  const shared = { host, backlog, reusePort: doors > 1 };
  const taken = await opened(server, { ...shared, port });
  // With the options that an HTTP server gives its own connections.
  const others = Array.from({ length: doors - 1 }, () => createDoor({ allowHalfOpen: true, noDelay: true }, (socket) => void server.emit("connection", socket)));
  for (const door of others) await opened(door, { ...shared, port: taken });
  return { server, port: taken, close: (graceSeconds) => close(server, others, graceSeconds) };
}

/** Elsewhere it is refused, or means something else. */
function canSharePort(): boolean {
  return process.platform === "linux";
}

/** The port could be shared with another process of ours that was started by mistake. */
async function assertNobodyListens(host: string, port: number): Promise<void> {
  const probe = createDoor();
  await opened(probe, { host, port });
  await closed(probe);
}

async function opened(server: NetServer, options: ListenOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const cause = causes[error.code ?? ""];
      const message = (field: string) => `${field}: ${options.host}:${options.port} can't be listened on: ${error.message}`;
      reject(cause === undefined ? error : new ExpectedError(cause.code, message(cause.field), { field: cause.field, cause: error }));
    });
    server.listen(options, resolve);
  });
  return (server.address() as AddressInfo).port;
}

const closed = (server: NetServer) => new Promise<void>((resolve) => void server.close(() => resolve()));

async function close(server: Server, others: readonly NetServer[], graceSeconds: number): Promise<void> {
  // Connections become idle one by one as their answers end; Node closes only those that are idle at the beginning.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
  await Promise.all([server, ...others].map(closed));
  clearInterval(idle);
  clearTimeout(cut);
}
