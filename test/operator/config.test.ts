import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";

import { readOperatorConfig } from "../../src/operator/config.ts";
import { readCurrentCluster, readKubeConfig } from "../../src/adapters/kubernetes/kube-config.ts";

const URL = "postgres://u:p@127.0.0.1/d";

describe("the operator's environment", () => {
  it("needs a database and nothing else", () => {
    expect(readOperatorConfig({ DATABASE_URL: URL, DIALPLANE_POD_NAME: "operator-0" })).toEqual({
      ...{ databaseUrl: URL, namespace: "dialplane-system", watchNamespaces: [], podName: "operator-0", leaseName: "dialplane-operator", leaseSeconds: 9 },
      ...{ trunksSecret: "dialplane-trunks", healthPort: 8081, logLevel: "info" },
    });
  });

  it("may name the namespaces whose resources it reconciles", () => {
    expect(readOperatorConfig({ DATABASE_URL: URL, DIALPLANE_WATCH_NAMESPACES: " shop, support,,shop" }).watchNamespaces).toEqual(["shop", "support"]);
  });

  it("is refused with everything that is wrong with it at once", () => {
    const env = { DIALPLANE_NAMESPACE: "Not A Namespace", DIALPLANE_WATCH_NAMESPACES: "shop,Not One", DIALPLANE_LEASE_SECONDS: "1", DIALPLANE_HEALTH_PORT: "99999", DIALPLANE_LOG_LEVEL: "loud" };
    for (const name of ["DATABASE_URL", ...Object.keys(env)]) expect(() => readOperatorConfig(env), name).toThrow(name);
  });
});

describe("the operator's kubeconfig", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it("may be a list of files: the first has the context, and what it names may be in another", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
    const [contexts, clusters] = [join(folder, "contexts"), join(folder, "clusters")];
    const context = (name: string) => ({ name, context: { cluster: "production", user: "operator" } });
    const config = { apiVersion: "v1", kind: "Config" };
    await writeFile(contexts, JSON.stringify({ ...config, "current-context": "first", contexts: [context("first")] }));
    await writeFile(clusters, JSON.stringify({
      ...{ ...config, "current-context": "second", contexts: [context("second")] },
      ...{ clusters: [{ name: "production", cluster: { server: "https://192.0.2.7:6443" } }], users: [{ name: "operator", user: { token: "t" } }] },
    }));
    vi.stubEnv("KUBECONFIG", [contexts, clusters].join(delimiter));
    expect(readKubeConfig().getCurrentContext()).toBe("first");
    expect(readKubeConfig().getCurrentCluster()?.server).toBe("https://192.0.2.7:6443");
    await rm(folder, { recursive: true });
  });

  it("that can't be read is named", () => {
    vi.stubEnv("KUBECONFIG", "/nowhere");
    expect(() => readKubeConfig()).toThrow(/^KUBECONFIG: must be a kubeconfig that can be read, or a list of them: .*nowhere/);
  });

  it("is asked for where there is none: nothing is made up", async () => {
    const home = await mkdtemp(join(tmpdir(), "kubeconfig-"));
    vi.stubEnv("KUBECONFIG", "");
    vi.stubEnv("HOME", home);
    expect(() => readKubeConfig()).toThrow(/^KUBECONFIG: must name a kubeconfig: there is none/);
    await rm(home, { recursive: true });
  });

  it("must say which cluster", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
    await writeFile(join(folder, "config"), JSON.stringify({ apiVersion: "v1", kind: "Config", contexts: [], clusters: [], users: [] }));
    vi.stubEnv("KUBECONFIG", join(folder, "config"));
    expect(() => readCurrentCluster()).toThrow(/^KUBECONFIG: must have a current-context with a cluster/);
    await rm(folder, { recursive: true });
  });
});
