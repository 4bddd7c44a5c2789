import { createSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";

import { ExpectedError, messageOf } from "../../domain/errors.ts";

export interface Listener {
  readonly transport: "udp" | "tcp";
  readonly address: string;
  readonly port: number;
  /** What the port is for, as a person would say it: "SIP over UDP". */
  readonly purpose: string;
}

/**
 * Binds and frees every address at once. Asterisk itself only logs a failed bind and goes on without it.
 *
 * @throws ExpectedError PortInUse, PermissionDenied or InvalidInput, naming purpose, address and port
 */
export async function assertCanListen(listeners: readonly Listener[]): Promise<void> {
  for (const listener of listeners) {
    await (listener.transport === "udp" ? bindUdp(listener) : bindTcp(listener)).catch((error: unknown) => {
      throw refusal(listener, error);
    });
  }
}

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export function anyFreeTcpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function bindUdp({ address, port }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}

function bindTcp({ address, port }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function refusal({ transport, address, port, purpose }: Listener, error: unknown): Error {
  const where = `${purpose} can't listen on ${address}:${port}/${transport}`;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new ExpectedError("PortInUse", `${where}: port ${port} is in use by another program`, { field: "port", cause: error });
    case "EACCES":
      return new ExpectedError("PermissionDenied", `${where}: no permission (ports below 1024 need it)`, { field: "port", cause: error });
    case "EADDRNOTAVAIL":
      return new ExpectedError("InvalidInput", `${where}: ${address} is no address of this machine`, { field: "address", cause: error });
    default:
      return new Error(`${where}: ${messageOf(error)}`, { cause: error });
  }
}
