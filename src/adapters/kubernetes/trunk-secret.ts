import type { TrunkConfiguration, TrunkSink } from "../../domain/ports.ts";
import { ContentType, type KubeClient } from "./client.ts";
import { objectPath } from "./objects.ts";

const SECRETS = { group: "", version: "v1", plural: "secrets" } as const;

export interface TrunkSecretOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly fieldManager: string;
}

/** Rendered trunks as a Secret that the Asterisk pods mount: `trunks.conf` is the content, `revision` its hash. */
export function trunkSecret({ client, namespace, name, fieldManager }: TrunkSecretOptions): TrunkSink {
  let written: string | undefined;
  return {
    write: async (trunks: TrunkConfiguration) => {
      if (written === trunks.hash) return;
      await client.request({
        method: "PATCH",
        path: objectPath(SECRETS, { namespace, name }),
        query: { fieldManager, force: true },
        contentType: ContentType.ApplyPatch,
        body: {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { namespace, name },
          type: "Opaque",
          data: { "trunks.conf": base64(trunks.content), revision: base64(trunks.hash) },
        },
      });
      written = trunks.hash;
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
