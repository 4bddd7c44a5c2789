import express from "express";
import { describe, expect, it } from "vitest";
import type { Logger } from "../../src/domain/ports.ts";
import { readIngressConfig } from "../../src/ingress/config.ts";
import { forwardedFor, withoutPort } from "../../src/ingress/forwarded.ts";
import { readStandaloneConfig } from "../../src/standalone/config.ts";
import { silent } from "../harness/logger.ts";

describe("an address in X-Forwarded-For", () => {
  it.each([
    ["203.0.113.9:51234", "203.0.113.9"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    [" 203.0.113.9", "203.0.113.9"],
    ["2001:db8::1", "2001:db8::1"],
    ["unknown", "unknown"],
    ["", ""],
  ])("%j is %j", (given, address) => {
    expect(withoutPort(given)).toBe(address);
  });
});

/** Serves the address that Express finds, on loopback, until `use` is done. */
async function withService<T>(trusted: readonly string[] | false, use: (ask: (forwarded?: string) => Promise<string>) => Promise<T>, parts: { logger?: Logger; now?: () => Date } = {}): Promise<T> {
  const app = express().set("trust proxy", trusted);
  app.use(forwardedFor(trusted, { logger: parts.logger ?? silent, clock: { now: parts.now ?? (() => new Date()) } }));
  app.get("/", (request, response) => void response.send(request.ip));
  const server = app.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  try {
    return await use(async (forwarded) => (await fetch(`http://127.0.0.1:${port}/`, { headers: forwarded === undefined ? {} : { "X-Forwarded-For": forwarded } })).text());
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("a client behind proxies", () => {
  it.each([
    ["203.0.113.9", "203.0.113.9"],
    ["203.0.113.9:51234", "203.0.113.9"],
    ["198.51.100.7, [2001:db8::1]:443", "2001:db8::1"],
    ["203.0.113.9:51234, 10.1.2.3:443", "203.0.113.9"],
  ])("that send X-Forwarded-For: %s is %s", async (header, address) => {
    expect(await withService(["127.0.0.1", "10.0.0.0/8"], (ask) => ask(header))).toBe(address);
  });

  it("that nobody trusts has the proxy's address, which is said once an hour and not for every request", async () => {
    const said: object[] = [];
    const logger: Logger = { ...silent, warn: (fields) => void said.push(fields) };
    let hours = 500_000;
    await withService(
      false,
      async (ask) => {
        await ask();
        expect(said).toEqual([]);
        expect(await ask("203.0.113.9")).toBe("127.0.0.1");
        await ask("203.0.113.10");
        expect(said).toEqual([{ peer: "127.0.0.1" }]);
        hours += 1;
        await ask("203.0.113.9");
        expect(said).toHaveLength(2);
      },
      { logger, now: () => new Date(hours * 3_600_000) },
    );
  });
});

describe("DIALPLANE_TRUSTED_PROXIES", () => {
  it.each(["10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.1", "::1", "192.0.2.1/32", "::ffff:10.0.0.0/104"])("%s is something that Express takes", (text) => {
    const { settings } = readIngressConfig({ DATABASE_URL: "postgres://u:p@127.0.0.1/d", DIALPLANE_TOKEN_KEYS: `1:${"x".repeat(32)}`, DIALPLANE_TRUSTED_PROXIES: text });
    expect(() => express().set("trust proxy", settings.trustedProxies)).not.toThrow();
  });

  it("is read by standalone too", () => {
    expect(readStandaloneConfig({}).limits.trustedProxies).toBe(false);
    expect(readStandaloneConfig({ DIALPLANE_TRUSTED_PROXIES: "127.0.0.1, ::1" }).limits.trustedProxies).toEqual(["127.0.0.1", "::1"]);
    expect(() => readStandaloneConfig({ DIALPLANE_TRUSTED_PROXIES: "10.0.0.0/99" })).toThrow(/DIALPLANE_TRUSTED_PROXIES: must be a list/);
  });
});
