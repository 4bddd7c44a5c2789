import { describe, expect, it } from "vitest";
import { readIngressConfig } from "../../src/ingress/config.ts";
import { ConfigError } from "../../src/shared/env.ts";
import { readStandaloneConfig } from "../../src/standalone/config.ts";

const secret = "0123456789abcdef0123456789abcdef";
const least = { DATABASE_URL: "postgres://u:p@127.0.0.1:5432/dialplane", DIALPLANE_TOKEN_KEYS: `1:${secret}` };

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readIngressConfig({ ...least, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("the configuration of ingress", () => {
  it("needs a database and a key, everything else has a default", () => {
    const config = readIngressConfig(least);
    expect(config).toMatchObject({ host: "0.0.0.0", port: 8080, databaseConnections: 8, secrets: { tokenKeys: [{ id: 1, secret }] } });
    expect(config.settings.trustedProxies).toBe(false);
    expect(config.secrets.sites.size).toBe(0);
  });

  it("lets an address send 20 requests a second and bring 2 new visitors, more at once, and can do without", () => {
    expect(readIngressConfig(least).settings).toMatchObject({ rateLimit: { perSecond: 20, burst: 60 }, newVisitors: { perSecond: 2, burst: 20 } });
    const limits = { DIALPLANE_RATE_LIMIT_BURST: "7", DIALPLANE_NEW_VISITORS_PER_SECOND: "0", DIALPLANE_NEW_VISITORS_BURST: "5" };
    const expected = { rateLimit: { perSecond: 20, burst: 7 }, newVisitors: { perSecond: 0, burst: 5 } };
    expect(readIngressConfig({ ...least, ...limits }).settings).toMatchObject(expected);
    expect(readStandaloneConfig(limits).limits).toMatchObject(expected);
  });

  it("reads several keys, the first of which signs, and several secrets of one site", () => {
    const config = readIngressConfig({
      ...least,
      DIALPLANE_TOKEN_KEYS: `7:${secret}, 6:${secret}x`,
      DIALPLANE_SITE_SECRETS: `acme=${secret},acme=${secret}y,other=${secret}`,
      DIALPLANE_TRUSTED_PROXIES: "10.0.0.0/8, ::1",
    });
    expect(config.secrets.tokenKeys.map((key) => key.id)).toEqual([7, 6]);
    expect(config.secrets.sites.get("acme")).toEqual([secret, `${secret}y`]);
    expect(config.settings.trustedProxies).toEqual(["10.0.0.0/8", "::1"]);
  });

  it.each([
    ["no database", { DATABASE_URL: "" }, "DATABASE_URL"],
    ["a database of another make", { DATABASE_URL: "mysql://x" }, "DATABASE_URL"],
    ["no key", { DIALPLANE_TOKEN_KEYS: "" }, "DIALPLANE_TOKEN_KEYS"],
    ["a short key", { DIALPLANE_TOKEN_KEYS: "1:short" }, "DIALPLANE_TOKEN_KEYS"],
    ["a key without id", { DIALPLANE_TOKEN_KEYS: secret }, "DIALPLANE_TOKEN_KEYS"],
    ["a key id twice", { DIALPLANE_TOKEN_KEYS: `1:${secret},1:${secret}` }, "DIALPLANE_TOKEN_KEYS"],
    ["a key id too high", { DIALPLANE_TOKEN_KEYS: `256:${secret}` }, "DIALPLANE_TOKEN_KEYS"],
    ["a short site secret", { DIALPLANE_SITE_SECRETS: "acme=short" }, "DIALPLANE_SITE_SECRETS"],
    ["a short API token", { DIALPLANE_API_TOKENS: "short" }, "DIALPLANE_API_TOKENS"],
    ["a port that is none", { DIALPLANE_HTTP_PORT: "http" }, "DIALPLANE_HTTP_PORT"],
    ["a port too high", { DIALPLANE_HTTP_PORT: "65536" }, "DIALPLANE_HTTP_PORT"],
    ["a log level that is none", { DIALPLANE_LOG_LEVEL: "loud" }, "DIALPLANE_LOG_LEVEL"],
    ["a proxy by name", { DIALPLANE_TRUSTED_PROXIES: "proxy.example.com" }, "DIALPLANE_TRUSTED_PROXIES"],
    ["a network with a prefix that is none", { DIALPLANE_TRUSTED_PROXIES: "10.0.0.0/99" }, "DIALPLANE_TRUSTED_PROXIES"],
    ["a network of all addresses", { DIALPLANE_TRUSTED_PROXIES: "127.0.0.1,0.0.0.0/0" }, "DIALPLANE_TRUSTED_PROXIES"],
    ["a proxy with a port", { DIALPLANE_TRUSTED_PROXIES: "10.0.0.1:8080" }, "DIALPLANE_TRUSTED_PROXIES"],
    ["heartbeats too rare for the presence time", { DIALPLANE_PRESENCE_HEARTBEAT_SECONDS: "30" }, "DIALPLANE_PRESENCE_HEARTBEAT_SECONDS"],
  ])("refuses %s, naming the variable and never the secret", (_what, env, variable) => {
    const problems = problemsOf(env);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${variable}: (must|is required)`));
    expect(problems[0]).not.toContain(secret);
  });

  it("tells all faults at once", () => {
    expect(problemsOf({ DATABASE_URL: "x", DIALPLANE_TOKEN_KEYS: "x", DIALPLANE_HTTP_PORT: "x" })).toHaveLength(3);
  });
});
