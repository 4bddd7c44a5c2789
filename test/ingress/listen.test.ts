import { once } from "node:events";
import { connect } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { listen, type Listening } from "../../src/ingress/listen.ts";

let open: Listening[] = [];
afterEach(async () => {
  await Promise.all(open.map((listening) => listening.close(0)));
  open = [];
});

async function listening(port = 0): Promise<Listening> {
  const one = await listen((_request, response) => void response.end("here"), "127.0.0.1", port);
  open.push(one);
  return one;
}

/** Connects from a thread of its own, so that it goes on while this one is busy. */
const CROWD = `
  const { connect } = require("node:net");
  const { workerData, parentPort } = require("node:worker_threads");
  const { port, count, connected } = workerData;
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1", () => {
    if (Atomics.add(connected, 0, 1) + 1 === count) Atomics.notify(connected, 1, Atomics.store(connected, 1, 1));
  }));
  parentPort.once("message", () => sockets.forEach((socket) => socket.destroy()));`;

describe("listening for HTTP", () => {
  it("lets a crowd in within a few turns of the event loop, however long a turn is", async () => {
    const { server, port } = await listening();
    const count = 200;
    let here = 0;
    server.on("connection", () => (here += 1));
    const connected = new Int32Array(new SharedArrayBuffer(8));
    const crowd = new Worker(CROWD, { eval: true, workerData: { port, count, connected } });
    await once(crowd, "online");
    // One long turn: all of them stand before the door when it ends.
    expect(Atomics.wait(connected, 1, 0, 30_000)).toBe("ok");
    let turns = 0;
    for (; here < count && turns < count; turns += 1) await nextTurn();
    crowd.postMessage("leave");
    await once(crowd, "exit");
    expect(here).toBe(count);
    expect(turns).toBeLessThan(count / 4);
  });

  it("does not share its port with another process that was started by mistake", async () => {
    const { port } = await listening();
    await expect(listening(port)).rejects.toMatchObject({ code: "PortInUse", field: "DIALPLANE_HTTP_PORT" });
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("here");
  });

  it("names the variable of an address that is not this machine's, or a name of nobody", async () => {
    for (const host of ["192.0.2.1", "nobody.invalid"]) {
      const refused = listen((_request, response) => void response.end(), host, 0);
      await expect(refused, host).rejects.toMatchObject({ code: "InvalidInput", field: "DIALPLANE_HTTP_ADDRESS", message: expect.stringMatching(`^DIALPLANE_HTTP_ADDRESS: ${host}:0 can't be listened on: `) as string });
    }
  });

  it("closes every socket of its port", async () => {
    const { port } = await listening();
    await open.pop()?.close(0);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const [error] = (await once(connect(port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ECONNREFUSED");
    }
  });
});
