import { Registry } from "prom-client";
import { expect, test } from "vitest";

import { listenForHealth } from "../../../src/adapters/http/health-server.ts";
import { Health } from "../../../src/shared/health.ts";
import { freeTcpPort } from "../../harness/ports.ts";

test("a path whose answer fails is 500, one that nobody has 404, and a taken port is named", async () => {
  const port = await freeTcpPort();
  const deps = { health: new Health(), registry: new Registry(), further: { "/drain": () => Promise.reject(new Error("Asterisk is away")) } };
  const close = await listenForHealth(port, deps);
  try {
    const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) })).status;
    expect([await statusOf("/drain"), await statusOf("/nothing"), await statusOf("/healthz")]).toEqual([500, 404, 200]);
    await expect(listenForHealth(port, deps)).rejects.toMatchObject({ code: "PortInUse", message: expect.stringContaining(String(port)) as string });
  } finally {
    await close();
  }
});

test("/healthz is the same JSON as of the ingress", async () => {
  const port = await freeTcpPort();
  const close = await listenForHealth(port, { health: new Health(), registry: new Registry() });
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(5_000) });
    expect([response.headers.get("content-type"), await response.json()]).toEqual(["application/json", { alive: true }]);
  } finally {
    await close();
  }
});
