import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findArchive } from "../../scripts/lib/control-plane-archive.mjs";
import { findControlPlane } from "../../scripts/lib/part-control-plane.mjs";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-control-plane-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function program(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 });
}

describe("KUBEBUILDER_ASSETS", () => {
  test("is refused with what is missing in it", async () => {
    await program("etcd", "etcd Version: 3.6.5");
    await expect(findControlPlane({ KUBEBUILDER_ASSETS: folder })).rejects.toThrow(/KUBEBUILDER_ASSETS=.* cannot be used\n.*missing in it: kube-apiserver, kubectl/);
  });

  test.each([
    ["too old", "Kubernetes v1.29.4", /it is 1\.29\.4, at least 1\.30 is needed/],
    ["of no version", "Kubernetes", /tells no version/],
  ])("is refused when its API server is %s", async (_name, text, message) => {
    for (const name of ["etcd", "kubectl"]) await program(name, "any");
    await program("kube-apiserver", text);
    await expect(findControlPlane({ KUBEBUILDER_ASSETS: folder })).rejects.toThrow(message);
  });

  test("is taken when all three run", async () => {
    for (const name of ["etcd", "kubectl"]) await program(name, "any");
    await program("kube-apiserver", "Kubernetes v1.36.0");
    expect(await findControlPlane({ KUBEBUILDER_ASSETS: folder })).toEqual({ where: folder, version: "Kubernetes 1.36.0", env: { KUBEBUILDER_ASSETS: folder } });
  });
});

test("without it and with an empty cache there is no control plane", async () => {
  expect(await findControlPlane({ DIALPLANE_CACHE_DIR: folder })).toBeUndefined();
});

describe("the list of released archives", () => {
  const hash = (digit: string) => digit.repeat(128);
  const entry = (name: string, digit: string) => `    ${name}.tar.gz:\n      hash: ${hash(digit)}\n      selfLink: https://archive.example/${name}.tar.gz\n`;
  const index = [
    entry("envtest-v1.35.0-linux-amd64", "a"),
    entry("envtest-v1.35.10-linux-amd64", "b"),
    entry("envtest-v1.35.2-linux-amd64", "c"),
    entry("envtest-v1.35.2-linux-arm64", "d"),
    entry("envtest-v1.36.0-linux-amd64", "e"),
  ].join("");

  test("gives the newest patch of the minor version for the platform", () => {
    expect(findArchive(index, "1.35.4", "linux-amd64")).toEqual({ hash: hash("b"), url: "https://archive.example/envtest-v1.35.10-linux-amd64.tar.gz" });
    expect(findArchive(index, "1.35.4", "linux-arm64")?.hash).toBe(hash("d"));
  });

  test("gives nothing for a version or platform that it lacks", () => {
    expect(findArchive(index, "1.3.5", "linux-amd64")).toBeUndefined();
    expect(findArchive(index, "1.35.4", "darwin-arm64")).toBeUndefined();
  });
});
