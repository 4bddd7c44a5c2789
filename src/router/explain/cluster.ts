import type { KubeConfig } from "@kubernetes/client-node";
import { createKubeClient } from "../../adapters/kubernetes/client.ts";
import { KINDS, TYPES } from "../../adapters/kubernetes/kinds.ts";
import { readKubeConfig } from "../../adapters/kubernetes/kube-config.ts";
import { KubeError } from "../../adapters/kubernetes/kube-error.ts";
import { listAll } from "../../adapters/kubernetes/list.ts";
import { collectionPath, type KubeObject } from "../../adapters/kubernetes/objects.ts";
import { loadSchemas, type Schemas } from "../../adapters/manifest/load-schemas.ts";
import { validateResource } from "../../adapters/manifest/validate-resource.ts";
import { ExpectedError } from "../../domain/errors.ts";
import type { Credentials, Declared, Logger, SourceProblem } from "../../domain/ports.ts";
import { API_VERSION, type AnyResource, type ResourceKind } from "../../domain/resources.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { fieldName } from "../../domain/validate/finding.ts";
import type { SourceOption } from "./options.ts";

type ClusterOption = Extract<SourceOption, { type: "cluster" }>;

const PAGE_SIZE = 500;
/** For all three lists together. */
const LIMIT_MILLISECONDS = 120_000;

/**
 * Lists the three kinds with the rights of the kubeconfig's user. Secrets are nobody's to read for a question: trunks that ask for one
 * count as having it.
 *
 * @throws ExpectedError InvalidInput for a kubeconfig that can't be used, Unavailable when the API server refuses or doesn't answer
 */
export async function clusterDeclared(option: ClusterOption, logger: Logger): Promise<Declared> {
  const client = createKubeClient(kubeConfigOf(option), logger);
  try {
    const schemas = await loadSchemas();
    const signal = AbortSignal.timeout(LIMIT_MILLISECONDS);
    const lists = await Promise.all(
      KINDS.map(async (kind) => {
        const { objects } = await listAll({ client, path: collectionPath(TYPES[kind], option.namespace), pageSize: PAGE_SIZE, signal });
        return objects.map((object) => objectOf(schemas, kind, object));
      }),
    );
    const read = lists.flat();
    const resources = read.flatMap((each) => ("resource" in each ? [each.resource] : []));
    return { resources, credentials: assumedCredentials(resources), problems: read.flatMap((each) => ("problem" in each ? [each.problem] : [])) };
  } catch (error) {
    if (error instanceof KubeError) throw new ExpectedError("Unavailable", `the cluster could not be read: ${error.message}`, { cause: error });
    throw error;
  } finally {
    client.close();
  }
}

function kubeConfigOf({ kubeconfig, context }: ClusterOption): KubeConfig {
  const config = readKubeConfig(kubeconfig === undefined ? undefined : { file: kubeconfig, field: "--kubeconfig" });
  if (context !== undefined) config.setCurrentContext(context);
  if (config.getCurrentCluster() === null) {
    const known = config.getContexts().map(({ name }) => name).join(", ") || "none";
    throw new ExpectedError("InvalidInput", `--context must be a context of the kubeconfig with a cluster; known are ${known}`, { field: "--context" });
  }
  return config;
}

/** Items of a list need not name their kind. An object that is being deleted still routes until it is gone. */
function objectOf(schemas: Schemas, kind: ResourceKind, object: KubeObject): { readonly resource: AnyResource } | { readonly problem: SourceProblem } {
  const validation = validateResource(schemas, { ...object, apiVersion: API_VERSION, kind }, "stored");
  if (validation.ok) return { resource: validation.resource };
  const [first] = validation.errors;
  const file = `${kind} ${object.metadata.namespace ?? ""}/${object.metadata.name}`;
  return { problem: { file, document: null, field: first === undefined ? null : fieldName(first.path), message: first?.message ?? "is not valid" } };
}

function assumedCredentials(resources: readonly AnyResource[]): ReadonlyMap<ResourceKey, Credentials> {
  const keys = resources.flatMap((resource) =>
    resource.kind === "SipTrunk" && resource.spec.authentication !== undefined
      ? [`${resource.metadata.namespace}/${resource.spec.authentication.secretRef.name}`]
      : [],
  );
  return new Map(keys.map((key) => [key, { username: "not-read", password: "not-read" }]));
}
