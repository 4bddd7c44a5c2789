import { describe, expect, it } from "vitest";

import { operatorConfig } from "../../src/operator/config.ts";

const URL = "postgres://u:p@127.0.0.1/d";

describe("the operator's environment", () => {
  it("needs a database and nothing else", () => {
    expect(operatorConfig({ DATABASE_URL: URL, DIALPLANE_POD_NAME: "operator-0" })).toEqual({
      ...{ databaseUrl: URL, namespace: "dialplane-system", podName: "operator-0", leaseName: "dialplane-operator", leaseSeconds: 9 },
      ...{ trunksSecret: "dialplane-trunks", healthPort: 8081, logLevel: "info", kubeconfig: undefined },
    });
  });

  it("is refused with everything that is wrong with it at once", () => {
    const env = { DIALPLANE_NAMESPACE: "Not A Namespace", DIALPLANE_LEASE_SECONDS: "1", DIALPLANE_HEALTH_PORT: "99999", DIALPLANE_LOG_LEVEL: "loud" };
    for (const name of ["DATABASE_URL", ...Object.keys(env)]) expect(() => operatorConfig(env), name).toThrow(name);
  });
});
