import { KubeConfig } from "@kubernetes/client-node";
import { ExpectedError, messageOf } from "../../domain/errors.ts";

/** What the client's own loader makes up where it finds nothing: kubectl's old guess, which it refuses to speak to afterwards. */
const MADE_UP = { name: "cluster", server: "http://localhost:8080" };

/**
 * That of the pod's service account, or what kubectl would take: the client's own loader reads `KUBECONFIG`, which may be a list of files, whose
 * first one has the context.
 * @param given a file instead, and what names it in messages
 * @throws ExpectedError InvalidInput
 */
export function readKubeConfig(given?: { readonly file: string; readonly field: string }): KubeConfig {
  const read = new KubeConfig();
  try {
    if (given === undefined) read.loadFromDefault(undefined, true);
    else read.loadFromFile(given.file);
  } catch (error) {
    const message = given === undefined ? "KUBECONFIG: must be a kubeconfig that can be read, or a list of them" : `${given.field} must be a readable kubeconfig`;
    throw new ExpectedError("InvalidInput", `${message}: ${messageOf(error)}`, { field: given?.field ?? "KUBECONFIG", cause: error });
  }
  const cluster = read.getCurrentCluster();
  if (given === undefined && cluster?.name === MADE_UP.name && cluster.server === MADE_UP.server) {
    throw new ExpectedError("InvalidInput", "KUBECONFIG: must name a kubeconfig: there is none in ~/.kube/config, and this is no pod with a service account", { field: "KUBECONFIG" });
  }
  return read;
}

/** Of a program that is told no context. @throws ExpectedError InvalidInput */
export function readCurrentCluster(): KubeConfig {
  const read = readKubeConfig();
  if (read.getCurrentCluster() === null) {
    throw new ExpectedError("InvalidInput", "KUBECONFIG: must have a current-context with a cluster (kubectl config use-context)", { field: "KUBECONFIG" });
  }
  return read;
}
