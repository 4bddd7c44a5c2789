import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startIngress } from "../../src/ingress/main.ts";
import { eventually } from "../harness/process.ts";
import { openStream } from "./event-stream.ts";
import { aPool } from "./site.ts";
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

async function ask(port: number): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/numbers`, {
    method: "POST",
    headers: { Origin: origin, "Content-Type": "application/json" },
    body: JSON.stringify({ pool, mediaElement: "top" }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("the program dialplane ingress", () => {
  it("serves pools as soon as they are declared, and ends within its grace although streams are open", async () => {
    const ingress = await startIngress(environment());
    expect((await fetch(`http://127.0.0.1:${ingress.port}/readyz`)).status).toBe(200);
    expect((await ask(ingress.port)).status).toBe(403);
    await stores.apply(new Map([[pool, aPool(pool, 1, { allowedOrigins: [origin] })]]));
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
    await new Promise((resolve) => other.close(resolve));
  });
});
