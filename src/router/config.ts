import { hostname } from "node:os";
import { z } from "zod";

import type { AriOptions } from "../adapters/ari/client.ts";
import { readEnv } from "../shared/env.ts";
import type { LogLevel } from "../shared/logger.ts";
import { databaseUrl, logLevel, whole } from "../shared/variables.ts";

export interface RouterConfig {
  /** Name of the pod in reports and records. */
  readonly pod: string;
  readonly ari: Pick<AriOptions, "url" | "user" | "password" | "lanes">;
  /** What carries ARI's requests: WebSockets unless told, or HTTP with ari-client, which does the same and costs more CPU a call. */
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

/** Everything that `dialplane router` reads. */
export const environment = z.object({
  DIALPLANE_POD: z.string().max(253, "must be the name of a pod, of at most 253 characters").default(() => hostname()),
  DATABASE_URL: databaseUrl,
  DIALPLANE_ARI_URL: z.string().regex(/^https?:\/\/[^/@]+\/ari$/, "must be http://host:port/ari, without credentials").default("http://127.0.0.1:8088/ari"),
  DIALPLANE_ARI_USER: z.string().max(80, "must be a name of at most 80 characters").default("dialplane"),
  DIALPLANE_ARI_PASSWORD: z.string({ error: "is required and must be the password of the ARI user" }),
  ARI_TRANSPORT: z.enum(["websocket", "rest"], "must be websocket or rest").default("websocket"),
  DIALPLANE_ASTERISK_CONFIG_DIR: z.string().regex(/^\//, "must be an absolute path").default("/etc/asterisk/dialplane.d"),
  DIALPLANE_TRUNKS_DIR: z.string().regex(/^\//, "must be an absolute path").default("/etc/dialplane/trunks"),
  // At most twice in a row, of the 3 s in which a call has to be decided.
  DIALPLANE_LOOKUP_TIMEOUT_MS: whole(10, 1_400, 250),
  DIALPLANE_POLL_MS: whole(100, 60_000, 2_000),
  DIALPLANE_SPOOL_DIR: z.string().regex(/^\//, "must be an absolute path").optional(),
  DIALPLANE_SPOOL_MAX_MB: whole(1, 65_536, 256),
  DIALPLANE_HEALTH_PORT: whole(1, 65_535, 8_081),
  DIALPLANE_LOG_LEVEL: logLevel,
});

export interface RouterEnvironment extends RouterConfig {
  readonly databaseUrl: string;
  /** `/healthz`, `/readyz` and `/metrics`, on every address of the pod. */
  readonly healthPort: number;
  readonly logLevel: LogLevel;
}

/** @throws ConfigError naming every variable that is out of format and what is allowed */
export function readRouterConfig(env: NodeJS.ProcessEnv): RouterEnvironment {
  const read = readEnv(environment, env);
  return {
    pod: read.DIALPLANE_POD,
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
