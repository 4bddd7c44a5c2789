import { isIPv4 } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import type { SipListening } from "../adapters/asterisk-process/transports.ts";
import { parseCidr } from "../domain/ip-address.ts";
import type { SiteSecrets } from "../domain/person-token.ts";
import type { IngressSettings } from "../ingress/app.ts";
import { rateLimits, rateLimitsOf, retentionDays, siteSecrets, trustedProxies } from "../ingress/config.ts";
import { readEnv } from "../shared/env.ts";
import type { LogLevel } from "../shared/logger.ts";
import { commaSeparated, databaseUrl, logLevel, whole } from "../shared/variables.ts";

const port = (preset: number) => whole(1, 65_535, preset);
const networksMessage = "must be a list of networks (CIDR) such as 10.0.0.0/8";
/** Those that are never routed on the Internet (RFC 1918, RFC 6598), and this machine. */
const localNetworks = z
  .string()
  .max(2_000, networksMessage)
  .default("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8")
  .transform(commaSeparated)
  .refine((networks) => networks.every((network) => parseCidr(network)?.address.length === 4), networksMessage);
const pemFile = z.string().regex(/^\/[^\s;]+$/, "must be the absolute path of a PEM file");
const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: "must be an IPv4 or IPv6 address" });

/** Everything that `dialplane standalone` reads. */
export const environment = z
  .object({
    /** Folder of manifests; watched. */
    DIALPLANE_MANIFESTS: z.string().default("examples/quickstart"),
    /** Where database, Asterisk's run-time files and identities live; created when missing. */
    DIALPLANE_DATA_DIR: z.string().default(".cache/standalone"),
    DIALPLANE_HTTP_ADDRESS: ipAddress.default("127.0.0.1"),
    DIALPLANE_HTTP_PORT: port(8080),
    /** Where carriers reach Asterisk. */
    DIALPLANE_SIP_ADDRESS: ipAddress.default("127.0.0.1"),
    DIALPLANE_SIP_PORT: port(5060),
    /** Behind NAT: the address that carriers see, and the networks in which nobody needs it. */
    DIALPLANE_SIP_PUBLIC_ADDRESS: z.ipv4("must be an IPv4 address").optional(),
    DIALPLANE_SIP_LOCAL_NETWORKS: localNetworks,
    /** A second address, for trunks whose host is an IPv6 address. */
    DIALPLANE_SIP_ADDRESS6: z.ipv6("must be an IPv6 address").optional(),
    /** PEM files. Without certificate and key carriers can be called over TLS but can't call in, and the port is not used. */
    DIALPLANE_SIP_TLS_CERTIFICATE: pemFile.optional(),
    DIALPLANE_SIP_TLS_KEY: pemFile.optional(),
    DIALPLANE_SIP_TLS_PORT: port(5061),
    DIALPLANE_SIP_TLS_CA: pemFile.default("/etc/ssl/certs/ca-certificates.crt"),
    DIALPLANE_RTP_PORT_START: port(20_000),
    DIALPLANE_RTP_PORT_END: port(20_999),
    /** Signs visitor, device and person tokens; kept in the data folder when not given. */
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
  .refine((env) => (env.DIALPLANE_SIP_TLS_CERTIFICATE === undefined) === (env.DIALPLANE_SIP_TLS_KEY === undefined), {
    path: ["DIALPLANE_SIP_TLS_KEY"],
    message: "must be set together with DIALPLANE_SIP_TLS_CERTIFICATE",
  })
  .refine((env) => env.DIALPLANE_RTP_PORT_START < env.DIALPLANE_RTP_PORT_END, {
    path: ["DIALPLANE_RTP_PORT_END"],
    message: "must be greater than DIALPLANE_RTP_PORT_START",
  });

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
    rtp: { start: read.DIALPLANE_RTP_PORT_START, end: read.DIALPLANE_RTP_PORT_END },
    signingSecret: read.DIALPLANE_SIGNING_SECRET,
    sites: read.DIALPLANE_SITE_SECRETS,
    retentionDays: read.DIALPLANE_RETENTION_DAYS,
    apiToken: read.DIALPLANE_API_TOKEN,
    limits: { ...rateLimitsOf(read), trustedProxies: read.DIALPLANE_TRUSTED_PROXIES },
    databaseUrl: read.DATABASE_URL,
    logLevel: read.DIALPLANE_LOG_LEVEL,
  };
}

function sipListening(read: z.infer<typeof environment>): SipListening {
  const { DIALPLANE_SIP_PUBLIC_ADDRESS: publicAddress, DIALPLANE_SIP_LOCAL_NETWORKS: networks } = read;
  const { DIALPLANE_SIP_ADDRESS6: sipAddress6, DIALPLANE_SIP_TLS_CERTIFICATE: certificateFile, DIALPLANE_SIP_TLS_KEY: keyFile } = read;
  return {
    sipAddress: read.DIALPLANE_SIP_ADDRESS,
    sipPort: read.DIALPLANE_SIP_PORT,
    ...(sipAddress6 === undefined ? {} : { sipAddress6 }),
    ...(publicAddress === undefined ? {} : { seenAs: { address: publicAddress, localNetworks: networks } }),
    tls: {
      caFile: read.DIALPLANE_SIP_TLS_CA,
      ...(certificateFile === undefined || keyFile === undefined ? {} : { server: { port: read.DIALPLANE_SIP_TLS_PORT, certificateFile, keyFile } }),
    },
  };
}

/** 127.0.0.0/8 (RFC 1122) and ::1. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (isIPv4(address) && address.startsWith("127."));
}
