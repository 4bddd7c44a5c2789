import { hostname } from "node:os";
import { z } from "zod";
import { readEnv } from "../shared/env.ts";
import type { LogLevel } from "../shared/logger.ts";
import { commaSeparated, databaseUrl, logLevel, whole } from "../shared/variables.ts";

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Everything that `dialplane operator` reads. */
export const environment = z.object({
  DATABASE_URL: databaseUrl,
  /** Read by the Kubernetes client itself (adapters/kubernetes/kube-config.ts). */
  KUBECONFIG: z.string().optional(),
  /** Namespace that holds the operator's Lease and the trunks' Secret. */
  DIALPLANE_NAMESPACE: z.string().regex(dnsLabel, "must be the name of a namespace").default("dialplane-system"),
  /** Whose resources it reconciles; empty: those of all. */
  DIALPLANE_WATCH_NAMESPACES: z
    .string()
    .default("")
    .transform((text) => [...new Set(commaSeparated(text))])
    .refine((names) => names.every((name) => dnsLabel.test(name)), "must be names of namespaces with commas between"),
  /** Who this process is among the operators. */
  DIALPLANE_POD_NAME: z.string().regex(dnsSubdomain, "must be the name of a pod").default(() => hostname().toLowerCase()),
  DIALPLANE_LEASE_NAME: z.string().regex(dnsSubdomain, "must be the name of a Lease").default("dialplane-operator"),
  /** A leader that is not heard of for so long is followed by another. */
  DIALPLANE_LEASE_SECONDS: whole(3, 600, 9),
  /** Mounted by the Asterisk pods. */
  DIALPLANE_TRUNKS_SECRET: z.string().regex(dnsSubdomain, "must be the name of a Secret").default("dialplane-trunks"),
  DIALPLANE_HEALTH_PORT: whole(0, 65_535, 8081),
  DIALPLANE_LOG_LEVEL: logLevel,
});

export interface OperatorConfig {
  readonly databaseUrl: string;
  readonly namespace: string;
  /** All when empty. */
  readonly watchNamespaces: readonly string[];
  readonly podName: string;
  readonly leaseName: string;
  readonly leaseSeconds: number;
  readonly trunksSecret: string;
  readonly healthPort: number;
  readonly logLevel: LogLevel;
}

/** @throws ConfigError naming every variable that is out of format */
export function readOperatorConfig(env: NodeJS.ProcessEnv): OperatorConfig {
  const read = readEnv(environment, env);
  return {
    databaseUrl: read.DATABASE_URL,
    namespace: read.DIALPLANE_NAMESPACE,
    watchNamespaces: read.DIALPLANE_WATCH_NAMESPACES,
    podName: read.DIALPLANE_POD_NAME,
    leaseName: read.DIALPLANE_LEASE_NAME,
    leaseSeconds: read.DIALPLANE_LEASE_SECONDS,
    trunksSecret: read.DIALPLANE_TRUNKS_SECRET,
    healthPort: read.DIALPLANE_HEALTH_PORT,
    logLevel: read.DIALPLANE_LOG_LEVEL,
  };
}
