import { join } from "node:path";
import { ROOT } from "./paths.mjs";
import { run, tail, which } from "./process.mjs";

/** The Go module that pins the programs. */
export const MODULE = join(ROOT, "scripts", "control-plane");

const PACKAGES = {
  etcd: "go.etcd.io/etcd/server/v3",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  kubectl: "k8s.io/kubernetes/cmd/kubectl",
};
/** The API server takes 4 minutes of one core, several times that when the machine is busy. */
const BUILD_LIMIT_MS = 1_800_000;
const HEARTBEAT_MS = 30_000;

/**
 * Builds the programs at low priority, so that whoever works on the machine is not held up. `GOFLAGS=-p=1` limits it to one core.
 * @param {{ version: string, target: string, env: NodeJS.ProcessEnv, progress: (note: string) => void }} wanted
 *   `version` of Kubernetes without `v`; `target` is a folder
 * @returns {Promise<string | undefined>} why it failed
 */
export async function buildControlPlane({ version, target, env, progress }) {
  const go = which("go", env);
  if (!go) return "go is not on PATH";
  const nice = which("nice", env);
  const program = nice ?? go;
  const command = [...(nice ? ["-n", "19", go] : []), "build", "-trimpath", "-mod=readonly", `-ldflags=${linkerFlags(version)}`];
  for (const [name, path] of Object.entries(PACKAGES)) {
    const doing = `building ${name} with Go`;
    progress(doing);
    const heartbeat = setInterval(() => progress(`still ${doing}`), HEARTBEAT_MS);
    const args = [...command, "-o", join(target, name), path];
    // Without cgo no C compiler is needed. A workspace of the user must not replace the pinned modules.
    const result = await run(program, args, { cwd: MODULE, env: { ...env, CGO_ENABLED: "0", GOWORK: "off" }, timeoutMs: BUILD_LIMIT_MS });
    clearInterval(heartbeat);
    if (result.code !== 0) return `${doing} failed: ${tail(result.output, 5)}`;
  }
  return undefined;
}

/** Kubernetes's release builds set its version the same way; a plain build calls itself v0.0.0. @param {string} version */
function linkerFlags(version) {
  const [major, minor] = version.split(".");
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  return ["-s", "-w", ...Object.entries(values).map(([name, value]) => `-X=k8s.io/component-base/version.${name}=${value}`)].join(" ");
}
