import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { randomInt } from "node:crypto";

/**
 * A loopback address that nobody else in this run has (127.16.0.1 to 127.239.255.254, taken at random and tried),
 * so that every Asterisk and SIPp can keep port 5060 while tests run in parallel.
 */
export async function loopbackAddress(): Promise<string> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const address = `127.${randomInt(16, 240)}.${randomInt(256)}.${randomInt(1, 255)}`;
    if (await udpIsFree(address, 5060)) {
      return address;
    }
  }
  throw new Error("no loopback address with a free port 5060 was found in 50 attempts");
}

/** A TCP port below the ephemeral range, so that no outgoing connection takes it before the server does. */
export async function freeTcpPort(address = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(10_000, 32_000);
    if (await tcpIsFree(address, port)) {
      return port;
    }
  }
  throw new Error(`no free TCP port on ${address} was found in 200 attempts`);
}

export async function freeUdpPort(address: string): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(10_000, 32_000);
    if (await udpIsFree(address, port)) {
      return port;
    }
  }
  throw new Error(`no free UDP port on ${address} was found in 200 attempts`);
}

function udpIsFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function tcpIsFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
