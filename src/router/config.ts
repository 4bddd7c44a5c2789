import { hostname } from "node:os";
import { z } from "zod";

import type { AriOptions } from "../adapters/ari/client.ts";
import { readEnv } from "../shared/env.ts";

export interface RouterConfig {
  /** Name of the pod in reports and records. */
  readonly pod: string;
  readonly ari: Pick<AriOptions, "url" | "user" | "password" | "lanes">;
  /** What carries ARI's requests: WebSockets unless told, or HTTP for an Asterisk that can't. */
  readonly ariTransport?: "websocket" | "rest";
  /** Asterisk's configuration folder, with `extensions.d/` and `pjsip.d/`, shared with Asterisk. */
  readonly asteriskConfigDir: string;
  /** The mounted Secret with the trunks; null when whoever started Asterisk has given it its trunks. */
  readonly trunksDir: string | null;
  /** How long a call waits for the database. */
  readonly lookUpTimeoutMs: number;
  /** How often the revision is asked for; a notification makes it sooner. */
  readonly pollMs: number;
  /** Keeps call records on disk until the database has them. Without it they are lost with the process. */
  readonly spool?: { readonly dir: string; readonly maxBytes: number };
}

const schema = z.object({
  DIALPLANE_POD: z.string().max(253).optional(),
  DATABASE_URL: z.string({ error: "must be a postgres:// URL" }).regex(/^postgres(ql)?:\/\//, "must be a postgres:// URL"),
  DIALPLANE_ARI_URL: z.string().regex(/^https?:\/\/[^/@]+\/ari$/, "must be http://host:port/ari, without credentials").default("http://127.0.0.1:8088/ari"),
  DIALPLANE_ARI_USER: z.string().max(80).default("dialplane"),
  DIALPLANE_ARI_PASSWORD: z.string({ error: "must be the password of the ARI user" }),
  ARI_TRANSPORT: z.enum(["websocket", "rest"], "must be websocket or rest").default("websocket"),
  DIALPLANE_ASTERISK_CONFIG_DIR: z.string().regex(/^\//, "must be an absolute path").default("/etc/asterisk/dialplane.d"),
  DIALPLANE_TRUNKS_DIR: z.string().regex(/^\//, "must be an absolute path").default("/etc/dialplane/trunks"),
  DIALPLANE_LOOKUP_TIMEOUT_MS: z.coerce.number("must be 10 to 2000 milliseconds").int().min(10).max(2_000).default(250),
  DIALPLANE_POLL_MS: z.coerce.number("must be 100 to 60000 milliseconds").int().min(100).max(60_000).default(2_000),
  DIALPLANE_SPOOL_DIR: z.string().regex(/^\//, "must be an absolute path").optional(),
  DIALPLANE_SPOOL_MAX_MB: z.coerce.number("must be 1 to 65536 megabytes").int().min(1).max(65_536).default(256),
  DIALPLANE_HEALTH_PORT: z.coerce.number("must be a port, 1 to 65535").int().min(1).max(65_535).default(8_081),
  DIALPLANE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"], "must be debug, info, warn, error or silent").default("info"),
});

export interface RouterEnvironment extends RouterConfig {
  readonly databaseUrl: string;
  /** `/healthz`, `/readyz` and `/metrics`, on every address of the pod. */
  readonly healthPort: number;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
}

/** @throws ConfigError naming every variable that is out of format and what is allowed */
export function readRouterConfig(env: NodeJS.ProcessEnv): RouterEnvironment {
  const read = readEnv(schema, env);
  return {
    pod: read.DIALPLANE_POD ?? hostname(),
    ari: { url: read.DIALPLANE_ARI_URL, user: read.DIALPLANE_ARI_USER, password: read.DIALPLANE_ARI_PASSWORD },
    ariTransport: read.ARI_TRANSPORT,
    asteriskConfigDir: read.DIALPLANE_ASTERISK_CONFIG_DIR,
    trunksDir: read.DIALPLANE_TRUNKS_DIR,
    lookUpTimeoutMs: read.DIALPLANE_LOOKUP_TIMEOUT_MS,
    pollMs: read.DIALPLANE_POLL_MS,
    ...(read.DIALPLANE_SPOOL_DIR === undefined ? {} : { spool: { dir: read.DIALPLANE_SPOOL_DIR, maxBytes: read.DIALPLANE_SPOOL_MAX_MB * 1_048_576 } }),
    databaseUrl: read.DATABASE_URL,
    healthPort: read.DIALPLANE_HEALTH_PORT,
    logLevel: read.DIALPLANE_LOG_LEVEL,
  };
}
