import { isIPv4 } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import type { SipListening } from "../adapters/asterisk-process/transports.ts";
import { checkSip, ipAddress, rtpPorts, sipListening, sipVariables } from "../adapters/asterisk-process/variables.ts";
import type { SiteSecrets } from "../domain/person-token.ts";
import type { IngressSettings } from "../ingress/app.ts";
import { rateLimits, rateLimitsOf, retentionDays, siteSecrets, trustedProxies } from "../ingress/config.ts";
import { readEnv } from "../shared/env.ts";
import type { LogLevel } from "../shared/logger.ts";
import { databaseUrl, logLevel, whole } from "../shared/variables.ts";

/** Everything that `dialplane standalone` reads. */
export const environment = z
  .object({
    /** Folder of manifests; watched. */
    DIALPLANE_MANIFESTS: z.string().default("examples/quickstart"),
    /** Where database, Asterisk's run-time files and identities live; created when missing. */
    DIALPLANE_DATA_DIR: z.string().default(".cache/standalone"),
    DIALPLANE_HTTP_ADDRESS: ipAddress.default("127.0.0.1"),
    DIALPLANE_HTTP_PORT: whole(1, 65_535, 8080),
    /** Where carriers reach Asterisk. */
    DIALPLANE_SIP_ADDRESS: ipAddress.default("127.0.0.1"),
    ...sipVariables,
    /** Signs visitor and device tokens; kept in the data folder when not given. */
    DIALPLANE_SIGNING_SECRET: z.string().min(32, "must have at least 32 characters").optional(),
    DIALPLANE_SITE_SECRETS: siteSecrets,
    DIALPLANE_RETENTION_DAYS: retentionDays,
    /** Bearer token of the read API; one is made and kept in the data folder when not given. Needed as soon as HTTP listens beyond loopback. */
    DIALPLANE_API_TOKEN: z.string().min(16, "must have at least 16 characters").optional(),
    DIALPLANE_TRUSTED_PROXIES: trustedProxies,
    ...rateLimits,
    DATABASE_URL: databaseUrl.optional(),
    DIALPLANE_LOG_LEVEL: logLevel,
  })
  .refine((env) => env.DIALPLANE_API_TOKEN !== undefined || isLoopback(env.DIALPLANE_HTTP_ADDRESS), {
    path: ["DIALPLANE_API_TOKEN"],
    message: "must be set when DIALPLANE_HTTP_ADDRESS is not a loopback address: calls and visitors can be read there",
  })
  .superRefine(checkSip);

export interface StandaloneConfig {
  readonly manifests: string;
  readonly dataDir: string;
  readonly httpAddress: string;
  readonly httpPort: number;
  readonly sip: SipListening;
  readonly rtp: { readonly start: number; readonly end: number };
  readonly signingSecret: string | undefined;
  readonly sites: SiteSecrets;
  /** 0 keeps everything. */
  readonly retentionDays: number;
  readonly apiToken: string | undefined;
  /** Of HTTP. */
  readonly limits: Pick<IngressSettings, "rateLimit" | "newVisitors" | "trustedProxies">;
  readonly databaseUrl: string | undefined;
  readonly logLevel: LogLevel;
}

/** @throws ConfigError naming every variable that is out of format */
export function readStandaloneConfig(env: NodeJS.ProcessEnv): StandaloneConfig {
  const read = readEnv(environment, env);
  return {
    manifests: resolve(read.DIALPLANE_MANIFESTS),
    dataDir: resolve(read.DIALPLANE_DATA_DIR),
    httpAddress: read.DIALPLANE_HTTP_ADDRESS,
    httpPort: read.DIALPLANE_HTTP_PORT,
    sip: sipListening(read),
    rtp: rtpPorts(read),
    signingSecret: read.DIALPLANE_SIGNING_SECRET,
    sites: read.DIALPLANE_SITE_SECRETS,
    retentionDays: read.DIALPLANE_RETENTION_DAYS,
    apiToken: read.DIALPLANE_API_TOKEN,
    limits: { ...rateLimitsOf(read), trustedProxies: read.DIALPLANE_TRUSTED_PROXIES },
    databaseUrl: read.DATABASE_URL,
    logLevel: read.DIALPLANE_LOG_LEVEL,
  };
}

/** 127.0.0.0/8 (RFC 1122) and ::1. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (isIPv4(address) && address.startsWith("127."));
}
