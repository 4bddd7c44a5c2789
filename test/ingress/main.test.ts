import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startIngress } from "../../src/ingress/main.ts";
import { eventually } from "../harness/process.ts";
import { openStream } from "./event-stream.ts";
import { aSitePool } from "./site.ts";
import { startStores, type Stores } from "./stores.ts";

const origin = "https://acme.example";
const pool = "default/sales";
let stores: Stores;
beforeEach(async () => {
  stores = await startStores();
});
afterEach(() => stores.close());

function environment(): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: stores.url,
    DIALPLANE_TOKEN_KEYS: "1:0123456789abcdef0123456789abcdef",
    DIALPLANE_HTTP_ADDRESS: "127.0.0.1",
    DIALPLANE_HTTP_PORT: "0",
    DIALPLANE_LOG_LEVEL: "silent",
    DIALPLANE_POOLS_POLL_SECONDS: "60",
  };
}

async function ask(port: number, who: object = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/numbers`, {
    method: "POST",
    headers: { Origin: origin, "Content-Type": "application/json" },
    body: JSON.stringify({ pool, mediaElement: "top", ...who }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("the program dialplane ingress", () => {
  it("serves pools as soon as they are declared, and ends within its grace although streams are open", async () => {
    const ingress = await startIngress(environment());
    expect(await stores.connections()).toBeGreaterThan(0);
    expect((await fetch(`http://127.0.0.1:${ingress.port}/readyz`)).status).toBe(200);
    expect((await ask(ingress.port)).status).toBe(403);
    await stores.apply(new Map([[pool, aSitePool(pool, 1, { allowedOrigins: [origin] })]]));
    const answer = await eventually("the pool is known", async () => {
      const { status, body } = await ask(ingress.port);
      return status === 200 ? body : undefined;
    });
    expect(answer).toMatchObject({ status: "assigned" });
    const stream = await openStream(`http://127.0.0.1:${ingress.port}`, String(answer["device"]), { Origin: origin });
    expect(stream.status).toBe(200);
    expect(await ingress.stop()).toEqual([]);
    await stream.ended;
    await expect(fetch(`http://127.0.0.1:${ingress.port}/healthz`)).rejects.toThrow();
    expect(await stores.online()).toBe(0);
    await eventually("no connection is left", async () => (await stores.connections()) === 0);
  });

  it("answers 503 while the database can't be reached, tells nothing about the inside, and recovers by itself", async () => {
    await stores.apply(new Map([[pool, aSitePool(pool, 1, { allowedOrigins: [origin] })]]));
    const way = await wayTo(stores.url);
    const ingress = await startIngress({ ...environment(), DATABASE_URL: way.url });
    try {
      expect((await ask(ingress.port)).status).toBe(200);
      await way.cut();
      const { status, body } = await eventually("a refusal", async () => {
        const answer = await ask(ingress.port);
        return answer.status === 503 ? answer : undefined;
      });
      expect(body).toEqual({ title: "Try again later", status, detail: "Try again later" });
      expect((await fetch(`http://127.0.0.1:${ingress.port}/dialplane.js`)).status).toBe(200);
      await way.mend();
      await eventually("a number again", async () => (await ask(ingress.port)).status === 200);
    } finally {
      await ingress.stop();
      await way.cut();
    }
  });

  it("starts while the database is away, and hands out numbers when it came", async () => {
    await stores.apply(new Map([[pool, aSitePool(pool, 1, { allowedOrigins: [origin] })]]));
    const way = await wayTo(stores.url);
    await way.cut();
    const ingress = await startIngress({ ...environment(), DATABASE_URL: way.url, DIALPLANE_POOLS_POLL_SECONDS: "1" });
    try {
      const ready = await fetch(`http://127.0.0.1:${ingress.port}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("the pools were not read yet")]);
      await way.mend();
      await eventually("a number", async () => (await ask(ingress.port)).status === 200);
      expect((await fetch(`http://127.0.0.1:${ingress.port}/readyz`)).status).toBe(200);
    } finally {
      await ingress.stop();
      await way.cut();
    }
  });

  it("deletes what is too old where it is told how long to keep it", async () => {
    await stores.ports.prospects.leave("00000000-0000-4000-8000-000000000002");
    expect(await stores.counts()).toMatchObject({ prospects: 1, devices: 1 });
    await stores.age(3 * 86_400);
    const ingress = await startIngress({ ...environment(), DIALPLANE_RETENTION_DAYS: "2" });
    try {
      await eventually("the visitor is gone", async () => (await stores.counts()).prospects === 0, 30_000);
    } finally {
      await ingress.stop();
    }
  });

  it("takes tokens of the key before while keys are replaced, gives out new ones, and takes the old ones no more in the end", async () => {
    await stores.apply(new Map([[pool, aSitePool(pool, 1, { allowedOrigins: [origin] })]]));
    const [before, after] = ["1:0123456789abcdef0123456789abcdef", "2:fedcba9876543210fedcba9876543210"];
    const served = async <T>(keys: string, use: (port: number) => Promise<T>) => {
      const ingress = await startIngress({ ...environment(), DIALPLANE_TOKEN_KEYS: keys });
      return use(ingress.port).finally(() => ingress.stop());
    };
    const tokens = ({ body }: Awaited<ReturnType<typeof ask>>) => ({ visitor: body["visitor"], device: body["device"] });
    const streamStatus = async (port: number, device: unknown) => {
      const stream = await openStream(`http://127.0.0.1:${port}`, String(device), { Origin: origin });
      stream.close();
      return stream.status;
    };

    const old = await served(before, (port) => ask(port));
    const replaced = await served(`${after},${before}`, async (port) => {
      const answer = await ask(port, tokens(old));
      expect(answer.body["number"]).toBe(old.body["number"]);
      expect(answer.body["visitor"]).not.toBe(old.body["visitor"]);
      expect(answer.body["device"]).not.toBe(old.body["device"]);
      expect(await streamStatus(port, old.body["device"])).toBe(200);
      return answer;
    });
    await served(after, async (port) => {
      expect((await ask(port, tokens(replaced))).body).toMatchObject({ number: old.body["number"], ...tokens(replaced) });
      // Whoever was not seen meanwhile is a new visitor.
      expect((await ask(port, tokens(old))).body["number"]).not.toBe(old.body["number"]);
      expect(await streamStatus(port, old.body["device"])).toBe(400);
    });
  });

  it("says which port is taken, and leaves nothing running", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(startIngress({ ...environment(), DIALPLANE_HTTP_PORT: String(port) })).rejects.toMatchObject({
      code: "PortInUse",
      field: "DIALPLANE_HTTP_PORT",
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
    // The server forgets a connection a moment after it was closed.
    await eventually("no connection is left", async () => (await stores.connections()) === 0);
    await new Promise((resolve) => other.close(resolve));
  });
});

/** A way to the database that can be cut, as a failing network would, and mended. */
async function wayTo(url: string): Promise<{ readonly url: string; cut(): Promise<void>; mend(): Promise<void> }> {
  const target = new URL(url);
  const open = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const mend = async () => {
    server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
        open.add(from);
        from.on("error", () => to.destroy()).on("close", () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  };
  const cut = async () => {
    const closed = new Promise((resolve) => server?.close(resolve));
    for (const socket of open) socket.destroy();
    open.clear();
    await closed;
  };
  await mend();
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return { url: through.href, cut, mend };
}
