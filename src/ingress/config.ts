import { z } from "zod";
import { parseCidr, parseIpAddress } from "../domain/ip-address.ts";
import type { SiteSecrets } from "../domain/person-token.ts";
import type { SigningKey } from "../domain/puid.ts";
import { readEnv } from "../shared/env.ts";
import type { LogLevel } from "../shared/logger.ts";
import { commaSeparated, databaseUrl, logLevel, whole } from "../shared/variables.ts";
import { defaultSettings, type IngressSecrets, type IngressSettings } from "./app.ts";

export interface IngressConfig {
  readonly databaseUrl: string;
  readonly databaseConnections: number;
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly poolsPollSeconds: number;
  readonly shutdownSeconds: number;
  /** See the variable. */
  readonly retentionDays: number;
  readonly secrets: IngressSecrets;
  readonly settings: IngressSettings;
}

/** 32 characters of at least 6 bits each: what HMAC-SHA-256 can make use of, nearly (RFC 2104 section 3). */
const secretForm = /^[A-Za-z0-9_+/=.-]{32,256}$/;
const keysMessage = 'must be a list "<id>:<secret>,..." with ids from 0 to 255, each once, and secrets of 32 to 256 letters, digits or _+/=.-';
const sitesMessage = 'must be a list "<site>=<secret>,..." with secrets of 32 to 256 letters, digits or _+/=.-';

const tokenKeys = z.string({ error: `is required and ${keysMessage}` }).transform((text, context): [SigningKey, ...SigningKey[]] => {
  const keys = text.split(",").map(parseKey);
  const [first, ...rest] = keys.filter((key) => key !== null);
  if (first !== undefined && rest.length + 1 === keys.length && new Set(keys.map((key) => key?.id)).size === keys.length) return [first, ...rest];
  context.addIssue({ code: "custom", message: keysMessage });
  return z.NEVER;
});

function parseKey(text: string): SigningKey | null {
  const [, id = "", secret = ""] = /^\s*([0-9]{1,3}):(\S+)\s*$/.exec(text) ?? [];
  return id !== "" && Number(id) <= 255 && secretForm.test(secret) ? { id: Number(id), secret } : null;
}

/** Days after which associations and calls, and visitors of whom nothing is left, are deleted; 0 keeps them. */
export const retentionDays = whole(0, 36_500, 0);

/** `site=secret,...`; a site may be listed more than once while its secret is being replaced. */
export const siteSecrets = z
  .string()
  .default("")
  .transform((text, context): SiteSecrets => {
    const sites = new Map<string, string[]>();
    for (const pair of commaSeparated(text)) {
      const [, site = "", secret = ""] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})=(\S+)$/.exec(pair) ?? [];
      if (!secretForm.test(secret)) {
        context.addIssue({ code: "custom", message: sitesMessage });
        return z.NEVER;
      }
      sites.set(site, [...(sites.get(site) ?? []), secret]);
    }
    return sites;
  });

const apiTokensMessage = "must be tokens of 32 to 256 letters, digits or _+/=.- with commas between";
/** Several while one is being replaced. */
const apiTokens = z
  .string()
  .max(4000, apiTokensMessage)
  .default("")
  .transform(commaSeparated)
  .refine((tokens) => tokens.every((token) => secretForm.test(token)), apiTokensMessage);

/** Of one address, or /64 of IPv6: requests, and visitors that were never here before. 0 a second switches a limit off. */
export const rateLimits = {
  DIALPLANE_RATE_LIMIT_PER_SECOND: whole(0, 1_000_000, defaultSettings.rateLimit.perSecond),
  DIALPLANE_RATE_LIMIT_BURST: whole(1, 1_000_000, defaultSettings.rateLimit.burst),
  DIALPLANE_NEW_VISITORS_PER_SECOND: whole(0, 1_000_000, defaultSettings.newVisitors.perSecond),
  DIALPLANE_NEW_VISITORS_BURST: whole(1, 1_000_000, defaultSettings.newVisitors.burst),
};

export function rateLimitsOf(read: Readonly<Record<keyof typeof rateLimits, number>>): Pick<IngressSettings, "rateLimit" | "newVisitors"> {
  return {
    rateLimit: { perSecond: read.DIALPLANE_RATE_LIMIT_PER_SECOND, burst: read.DIALPLANE_RATE_LIMIT_BURST },
    newVisitors: { perSecond: read.DIALPLANE_NEW_VISITORS_PER_SECOND, burst: read.DIALPLANE_NEW_VISITORS_BURST },
  };
}

const proxiesMessage = "must be a list of addresses or networks (CIDR) such as 10.0.0.0/8, and not of all addresses";
/** Whose X-Forwarded-For is believed; of nobody when none is named. */
export const trustedProxies = z
  .string()
  .max(2000, proxiesMessage)
  .default("")
  .transform(commaSeparated)
  .refine((proxies) => proxies.every(isNetwork), proxiesMessage)
  .transform((proxies) => (proxies.length === 0 ? (false as const) : proxies));

/** Express takes no network of all addresses: whoever believes everybody is told any address. */
function isNetwork(text: string): boolean {
  return parseIpAddress(text) !== null || (parseCidr(text)?.prefixLength ?? 0) > 0;
}

/** Everything that `dialplane ingress` reads. */
export const environment = z.object({
  DATABASE_URL: databaseUrl,
  DIALPLANE_DATABASE_CONNECTIONS: whole(2, 100, 8),
  DIALPLANE_HTTP_ADDRESS: z.string().max(253, "must be an address of this machine, or a name of one").default("0.0.0.0"),
  DIALPLANE_HTTP_PORT: whole(0, 65_535, 8080),
  DIALPLANE_LOG_LEVEL: logLevel,
  DIALPLANE_POOLS_POLL_SECONDS: whole(1, 3600, 5),
  DIALPLANE_SHUTDOWN_SECONDS: whole(1, 600, 10),
  DIALPLANE_RETENTION_DAYS: retentionDays,
  DIALPLANE_TOKEN_KEYS: tokenKeys,
  DIALPLANE_SITE_SECRETS: siteSecrets,
  DIALPLANE_API_TOKENS: apiTokens,
  DIALPLANE_REPORT_TOKENS: apiTokens,
  DIALPLANE_TRUSTED_PROXIES: trustedProxies,
  ...rateLimits,
  DIALPLANE_MAX_WAITING_REQUESTS: whole(1, 1_000_000, defaultSettings.maxWaiting),
  DIALPLANE_MAX_STREAMS: whole(1, 1_000_000, defaultSettings.streams.maxStreams),
  DIALPLANE_MAX_STREAMS_PER_DEVICE: whole(1, 100, defaultSettings.streams.maxStreamsPerDevice),
  DIALPLANE_STREAM_KEEP_ALIVE_SECONDS: whole(1, 3600, defaultSettings.streams.keepAliveSeconds),
  DIALPLANE_STREAM_MAX_SECONDS: whole(1, 86_400, defaultSettings.streams.maxSeconds),
  DIALPLANE_PRESENCE_TTL_SECONDS: whole(2, 3600, defaultSettings.presence.ttlSeconds),
  DIALPLANE_PRESENCE_HEARTBEAT_SECONDS: whole(1, 1800, defaultSettings.presence.heartbeatSeconds),
}).refine((env) => env.DIALPLANE_PRESENCE_HEARTBEAT_SECONDS * 2 <= env.DIALPLANE_PRESENCE_TTL_SECONDS, {
  path: ["DIALPLANE_PRESENCE_HEARTBEAT_SECONDS"],
  message: "must be no more than half of DIALPLANE_PRESENCE_TTL_SECONDS, or one late heartbeat makes devices offline",
});

/** @throws ConfigError naming every variable that is out of format. */
export function readIngressConfig(env: NodeJS.ProcessEnv): IngressConfig {
  const read = readEnv(environment, env);
  return {
    databaseUrl: read.DATABASE_URL,
    databaseConnections: read.DIALPLANE_DATABASE_CONNECTIONS,
    host: read.DIALPLANE_HTTP_ADDRESS,
    port: read.DIALPLANE_HTTP_PORT,
    logLevel: read.DIALPLANE_LOG_LEVEL,
    poolsPollSeconds: read.DIALPLANE_POOLS_POLL_SECONDS,
    shutdownSeconds: read.DIALPLANE_SHUTDOWN_SECONDS,
    retentionDays: read.DIALPLANE_RETENTION_DAYS,
    secrets: { tokenKeys: read.DIALPLANE_TOKEN_KEYS, sites: read.DIALPLANE_SITE_SECRETS, apiTokens: read.DIALPLANE_API_TOKENS, reportTokens: read.DIALPLANE_REPORT_TOKENS },
    settings: {
      ...rateLimitsOf(read),
      streams: {
        maxStreams: read.DIALPLANE_MAX_STREAMS,
        maxStreamsPerDevice: read.DIALPLANE_MAX_STREAMS_PER_DEVICE,
        keepAliveSeconds: read.DIALPLANE_STREAM_KEEP_ALIVE_SECONDS,
        maxSeconds: read.DIALPLANE_STREAM_MAX_SECONDS,
      },
      presence: { ttlSeconds: read.DIALPLANE_PRESENCE_TTL_SECONDS, heartbeatSeconds: read.DIALPLANE_PRESENCE_HEARTBEAT_SECONDS },
      maxWaiting: read.DIALPLANE_MAX_WAITING_REQUESTS,
      answerWithinMilliseconds: defaultSettings.answerWithinMilliseconds,
      trustedProxies: read.DIALPLANE_TRUSTED_PROXIES,
    },
  };
}
