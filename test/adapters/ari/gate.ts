import { createServer, connect, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** Stands between a client and Asterisk on a port of its own, and does to their connections what networks and restarts do. */
export interface Gate extends AsyncDisposable {
  readonly url: string;
  /** Connections that were tried so far. */
  readonly tried: number;
  /** `refuse` breaks every new connection off, `loading` answers 503 as an Asterisk that is still loading; both leave open ones alone. */
  mode: "open" | "refuse" | "loading";
  /** Resets what is open. */
  cut(): void;
  /**
   * What is open stays open, and nothing passes any more in either direction.
   * @param asking only connections that were opened for this
   */
  silence(asking?: string): void;
  /** All that is silent passes again. */
  speak(): void;
}

const LOADING = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

export async function startGate(target: string): Promise<Gate> {
  const { port } = new URL(target);
  const open = new Set<Connection>();
  const silent = new Set<Connection>();
  let mode: Gate["mode"] = "open";
  let tried = 0;
  const server = createServer((near) => {
    tried += 1;
    near.on("error", () => undefined);
    if (mode === "refuse") near.destroy();
    else if (mode === "loading") near.once("data", () => near.end(LOADING));
    else open.add(through(near, Number(port)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  const cut = () => {
    for (const { near, far } of open) {
      near.resetAndDestroy();
      far.destroy();
    }
    open.clear();
  };
  return {
    url: `http://127.0.0.1:${address.port}/ari`,
    get tried() {
      return tried;
    },
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
    },
    cut,
    silence: (asking = "") => {
      for (const connection of [...open].filter(({ asked }) => asked().includes(asking))) {
        const { near, far } = connection;
        near.unpipe(far).pause();
        far.unpipe(near).pause();
        silent.add(connection);
      }
    },
    speak: () => {
      for (const { near, far } of silent) {
        near.pipe(far);
        far.pipe(near);
      }
      silent.clear();
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  /** The first that was sent. */
  readonly asked: () => string;
}

function through(near: Socket, port: number): Connection {
  const far = connect(port, "127.0.0.1");
  far.on("error", () => near.destroy());
  near.on("close", () => far.destroy());
  near.pipe(far);
  far.pipe(near);
  let first = "";
  near.once("data", (data: Buffer) => (first = data.toString("latin1")));
  return { near, far, asked: () => first };
}
