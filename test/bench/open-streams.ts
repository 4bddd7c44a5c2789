import { connect, type Socket } from "node:net";

/** What one client of the bench hears: server-sent events, told apart by their first line. */
export type Heard = (device: string, event: string) => void;

/**
 * Opens one stream a device, `parallel` at a time, over plain sockets: 20,000 clients of a library would need more memory than
 * the process that is measured. Resolves when every stream has its first line.
 */
export async function openStreams(url: string, devices: ReadonlyMap<string, string>, parallel: number, heard: Heard): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const rest = devices.entries();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (const [device, token] of rest) sockets.push(await openStream(url, token, (event) => heard(device, event)));
    }),
  );
  return sockets;
}

function openStream(url: string, token: string, heard: (event: string) => void): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    socket.setEncoding("latin1");
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the stream was closed")));
    socket.on("connect", () => socket.write(`GET /v1/stream?device=${token} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`));
    socket.on("data", (text: string) => {
      if (text.includes("retry: ")) resolve(socket);
      else if (text.startsWith("HTTP/1.1 ") && !text.startsWith("HTTP/1.1 200")) reject(new Error(text.slice(0, 200)));
      const event = /event: (\w+)\n/.exec(text)?.[1];
      if (event !== undefined) heard(event);
    });
  });
}
