import { KubeConfig } from "@kubernetes/client-node";
import { ExpectedError, messageOf } from "../../domain/errors.ts";

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
  return read;
}
