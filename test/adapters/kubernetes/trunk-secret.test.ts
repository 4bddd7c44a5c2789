import { describe, expect, test } from "vitest";
import { ContentType, type KubeClient } from "../../../src/adapters/kubernetes/client.ts";
import { KubeError } from "../../../src/adapters/kubernetes/kube-error.ts";
import { trunkSecret } from "../../../src/adapters/kubernetes/trunk-secret.ts";
import { renderPjsip } from "../../../src/domain/pjsip.ts";
import { readTrunkFile, TRUNK_FILE } from "../../../src/domain/trunk-file.ts";
import { anAsteriskTrunk } from "../../domain/asterisk-builders.ts";

const trunks = (host: string) => renderPjsip({ trunks: [anAsteriskTrunk("acme/carrier", { host })], credentials: new Map() });

/** One Secret, which somebody else may delete or change, and the time. */
function aCluster() {
  const world = { now: 0, data: null as Record<string, string> | null, looks: 0, writes: 0, held: () => readTrunkFile(Buffer.from(world.data?.[TRUNK_FILE] ?? "", "base64").toString("utf8")) };
  const request: KubeClient["request"] = ({ contentType, body }) => {
    if (contentType === ContentType.ApplyPatch) {
      world.writes += 1;
      world.data = (body as { data: Record<string, string> }).data;
    } else {
      world.looks += 1;
    }
    return world.data === null ? Promise.reject(new KubeError(404, "NotFound", "it is not there")) : Promise.resolve({ data: world.data } as never);
  };
  const client = { request } as KubeClient;
  const secret = trunkSecret({ client, namespace: "dialplane-system", name: "dialplane-trunks", fieldManager: "test", mayWrite: () => Promise.resolve(), now: () => world.now });
  return { world, write: (host = "192.0.2.10") => secret.write(trunks(host)) };
}

/** One that answers so to whatever is asked. */
function refusing(status: number) {
  const client = { request: () => Promise.reject(new KubeError(status, "SomeReason", "the API server's words")) } as unknown as KubeClient;
  return trunkSecret({ client, namespace: "dialplane-system", name: "dialplane-trunks", fieldManager: "test", mayWrite: () => Promise.resolve(), now: () => 0 });
}

describe("the Secret of rendered trunks", () => {
  test("that somebody deletes comes back, as a revision of its own", async () => {
    const { world, write } = aCluster();
    const first = await write();
    world.data = null;
    world.now = 30_000;
    const second = await write();
    expect(second).not.toEqual(first);
    expect(world.held()).toMatchObject({ ...second, trunks: { content: trunks("192.0.2.10").content } });
  });

  test.each([
    ["a text of their own", { [TRUNK_FILE]: Buffer.from("[carrier]\n").toString("base64") }],
    ["no text at all", {}],
  ])("that somebody gives %s is written again", async (_what, data: Record<string, string>) => {
    const { world, write } = aCluster();
    await write();
    world.data = data;
    world.now = 30_000;
    await write();
    expect(world.writes).toBe(2);
  });

  test("is not written when it holds them already, and looked at twice a minute at most", async () => {
    const { world, write } = aCluster();
    const first = await write();
    for (world.now = 1_000; world.now <= 60_000; world.now += 1_000) expect(await write()).toEqual(first);
    expect(world).toMatchObject({ writes: 1, looks: 3 });
    await write("192.0.2.11");
    expect(world.writes).toBe(2);
  });

  test.each([400, 401, 403, 404, 409, 422, 429, 500, 503, 504])("that the API server refuses with %d is an expected failure in its words", async (status) => {
    const message = "Secret dialplane-system/dialplane-trunks can't be written: the API server's words";
    await expect(refusing(status).write(trunks("192.0.2.10"))).rejects.toMatchObject({ name: "ExpectedError", code: "Forbidden", message });
  });

  test("is waited for while the API server does not answer", async () => {
    await expect(refusing(0).write(trunks("192.0.2.10"))).rejects.toMatchObject({ name: "KubeError", status: 0 });
  });
});
