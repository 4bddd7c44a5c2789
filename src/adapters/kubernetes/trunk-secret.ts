import { ExpectedError } from "../../domain/errors.ts";
import type { TrunkConfiguration, TrunkSink } from "../../domain/ports.ts";
import { newTrunkRevision, readTrunkFile, TRUNK_FILE, trunkFile, type TrunkFile } from "../../domain/trunk-file.ts";
import { isRecord } from "../../shared/json.ts";
import { ContentType, type KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { objectPath } from "./objects.ts";

const SECRETS = { group: "", version: "v1", plural: "secrets" } as const;

export interface TrunkSecretOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly fieldManager: string;
  /** Asked before anything is written. @throws when it must not be */
  readonly mayWrite: () => Promise<void>;
  readonly now: () => number;
}

/** Somebody else may have changed or deleted the Secret: it is looked at again with the next pass after this time. */
const LOOK_AGAIN_MS = 30_000;

/** Rendered trunks as the one Secret that the Asterisk pods mount. Written only when it does not hold them already. */
export function trunkSecret(options: TrunkSecretOptions): TrunkSink {
  let known: (TrunkFile & { readonly seenAt: number }) | null = null;
  const remember = (file: TrunkFile) => {
    known = { ...file, seenAt: options.now() };
    return { revision: file.revision };
  };
  const write = async (trunks: TrunkConfiguration) => {
    const isFresh = known !== null && options.now() - known.seenAt < LOOK_AGAIN_MS;
    if (known !== null && isFresh && known.trunks.content === trunks.content) return { revision: known.revision };
    const present = await read(options);
    if (present?.trunks.content === trunks.content) return remember(present);
    const file = { revision: newTrunkRevision(), trunks };
    const text = trunkFile(file);
    await options.mayWrite();
    await apply(options, text);
    return remember(file);
  };
  return {
    write: (trunks) =>
      write(trunks).catch((error: unknown) => {
        throw refusal(error, options);
      }),
  };
}

/**
 * Whatever was answered, a right, a quota, a policy, the namespace or a webhook that fails: it may stay so for days, and nothing else depends on it.
 * Only an API server that gives no answer is waited for.
 */
function refusal(error: unknown, { namespace, name }: TrunkSecretOptions): unknown {
  if (!(error instanceof KubeError) || error.status === 0) return error;
  return new ExpectedError("Forbidden", `Secret ${namespace}/${name} can't be written: ${error.message}`, { cause: error });
}

/** An admission webhook that hangs may do so for 30 s (Kubernetes, `timeoutSeconds`) until the API server answers that it failed. */
const TIMEOUT_MILLISECONDS = 40_000;

/** An empty merge patch changes nothing and answers the object: who may write it needs no right to read Secrets. Webhooks are asked about it as well. */
async function read({ client, namespace, name }: TrunkSecretOptions): Promise<TrunkFile | null> {
  try {
    const path = objectPath(SECRETS, { namespace, name });
    return fileIn(await client.request({ method: "PATCH", path, contentType: ContentType.MergePatch, body: {}, timeoutMs: TIMEOUT_MILLISECONDS }));
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return null;
    throw error;
  }
}

/** What can't be read is written anew. */
function fileIn(secret: unknown): TrunkFile | null {
  const data = isRecord(secret) && isRecord(secret["data"]) ? secret["data"][TRUNK_FILE] : undefined;
  if (typeof data !== "string") return null;
  try {
    return readTrunkFile(Buffer.from(data, "base64").toString("utf8"));
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    return null;
  }
}

async function apply({ client, namespace, name, fieldManager }: TrunkSecretOptions, text: string): Promise<void> {
  await client.request({
    method: "PATCH",
    path: objectPath(SECRETS, { namespace, name }),
    query: { fieldManager, force: true },
    contentType: ContentType.ApplyPatch,
    timeoutMs: TIMEOUT_MILLISECONDS,
    body: {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace, name },
      type: "Opaque",
      data: { [TRUNK_FILE]: Buffer.from(text, "utf8").toString("base64") },
    },
  });
}
