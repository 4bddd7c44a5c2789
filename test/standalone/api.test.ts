import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import express from "express";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AnyResource, NumberPool } from "../../src/domain/resources.ts";
import { problemHandler } from "../../src/ingress/problem.ts";
import { localAccess, readApi, servesThisMachineAlone } from "../../src/standalone/api.ts";
import { keptSecret } from "../../src/standalone/kept-secret.ts";
import { aPoolSpec } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { temporaryFolder } from "../harness/process.ts";

const token = "the-token-of-these-tests-has-32-characters";

function aPool(allowedOrigins?: readonly string[]): NumberPool {
  const metadata = { name: "sales", namespace: "default", uid: "u", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" };
  return { apiVersion: "dialplane.io/v1alpha1", kind: "NumberPool", metadata, spec: aPoolSpec(allowedOrigins === undefined ? {} : { allowedOrigins: [...allowedOrigins] }) };
}

describe("what standalone shows without a token", () => {
  const here = [aPool(["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])];
  let declared: readonly AnyResource[] = here;
  let close: () => void;
  let port: number;

  beforeAll(async () => {
    const access = localAccess({ token, isLocal: () => servesThisMachineAlone(declared) });
    const app = express();
    app.use(readApi({ associations: () => Promise.resolve([]), resources: () => ({ resources: [], problems: [] }) }, access), problemHandler(silent));
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    close = () => void server.close();
  });
  beforeEach(() => void (declared = here));
  afterAll(() => close());

  /** fetch would say for itself which host it means. */
  async function get(headers: Record<string, string>): Promise<{ readonly status: number | undefined; readonly text: string }> {
    const asked = request({ host: "127.0.0.1", port, path: "/v1/resources", headers }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return { status: response.statusCode, text: (await response.toArray()).map(String).join("") };
  }

  it.each([
    ["by address", { Host: "127.0.0.1:8080" }],
    ["by name", { Host: "localhost:8080" }],
    ["by IPv6 address", { Host: "[::1]:8080" }],
  ])("is all, to a request from this machine %s, while every page is on it", async (_what, headers) => {
    expect((await get(headers)).status).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ["the name of a site", { Host: "calls.example.com" }],
    ["a name that begins like an address", { Host: "127.0.0.1.example.com" }],
    ["X-Forwarded-For", { Host: "127.0.0.1:8080", "X-Forwarded-For": "203.0.113.9" }],
    ["X-Forwarded-Host", { Host: "127.0.0.1:8080", "X-Forwarded-Host": "localhost" }],
    ["Forwarded", { Host: "127.0.0.1:8080", Forwarded: "for=203.0.113.9" }],
    ["X-Real-IP", { Host: "127.0.0.1:8080", "X-Real-IP": "203.0.113.9" }],
    ["Via", { Host: "127.0.0.1:8080", Via: "1.1 proxy" }],
  ])("is nothing, to a request with %s", async (_what, headers) => {
    const refused = await get(headers);
    expect(refused.status).toBe(401);
    expect(refused.text).toContain("DIALPLANE_API_TOKEN");
    expect((await get({ ...headers, Authorization: `Bearer ${token}` })).status).toBe(200);
  });

  it.each<[string, readonly AnyResource[]]>([
    ["one page of one pool is elsewhere", [...here, aPool(["http://localhost:8080", "https://acme.example"])]],
    ["a pool is for apps, which may be anywhere", [aPool()]],
    ["a pool names no page", [aPool([])]],
    ["no pool is declared: calls of earlier ones are still there", []],
  ])("is nothing as soon as %s, for a proxy may add no header at all", async (_what, resources) => {
    declared = resources;
    expect((await get({ Host: "127.0.0.1:8080" })).status).toBe(401);
    expect((await get({ Host: "127.0.0.1:8080", Authorization: `Bearer ${token}` })).status).toBe(200);
  });
});

describe("a kept secret", () => {
  it("is the same after a restart, and refused when its file was cut off", async () => {
    const folder = await temporaryFolder("kept-secret");
    try {
      const file = join(folder.path, "api-token");
      const secret = await keptSecret(file);
      expect(secret).toMatch(/^[\w-]{43}$/);
      expect(await keptSecret(file)).toBe(secret);
      await writeFile(file, "\n");
      await expect(keptSecret(file)).rejects.toMatchObject({ code: "InvalidInput", message: expect.stringContaining(file) as string });
    } finally {
      await folder.remove();
    }
  });
});
