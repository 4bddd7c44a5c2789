import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, tail } from "./process.mjs";

/** Lists the archives that the Kubernetes project makes for tests of controllers ("envtest"), with their SHA-512. */
const INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml";
const INDEX_LIMIT_MS = 5000;
/** An archive has about 60 MB. */
const ARCHIVE_LIMIT_MS = 180_000;

/**
 * Downloads the newest released archive of the same minor version.
 * @param {{ version: string, target: string, progress: (note: string) => void }} wanted `version` of Kubernetes without `v`
 * @returns {Promise<string | undefined>} why it failed; where the project cannot be reached that takes 5 s at most
 */
export async function downloadControlPlane({ version, target, progress }) {
  try {
    const index = (await fetchBytes(INDEX, INDEX_LIMIT_MS)).toString("utf8");
    const archive = findArchive(index, version, `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`);
    if (!archive) return `there is no released archive of Kubernetes ${version} for ${process.platform} on ${process.arch}`;
    progress(`downloading ${archive.url}`);
    const bytes = await fetchBytes(archive.url, ARCHIVE_LIMIT_MS);
    if (createHash("sha512").update(bytes).digest("hex") !== archive.hash) return `${archive.url} has not the SHA-512 that ${INDEX} names`;
    return await unpack(bytes, target);
  } catch (error) {
    const { message, cause } = /** @type {Error} */ (error);
    return `the released programs cannot be downloaded (${cause instanceof Error ? cause.message : message})`;
  }
}

/** @param {string} url @param {number} limitMs */
async function fetchBytes(url, limitMs) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/**
 * @param {string} index text of the list
 * @param {string} version whose major and minor number count
 * @param {string} platform such as `linux-amd64`
 * @returns {{ url: string, hash: string } | undefined} that of the newest patch
 */
export function findArchive(index, version, platform) {
  const minor = version.split(".").slice(0, 2).join("\\.");
  const entry = new RegExp(String.raw`envtest-v${minor}\.(\d+)-${platform}\.tar\.gz:\s+hash: ([0-9a-f]{128})\s+selfLink: (https://\S+)`, "g");
  const found = [...index.matchAll(entry)].map(([, patch, hash = "", url = ""]) => ({ patch: Number(patch), hash, url }));
  const newest = found.sort((a, b) => b.patch - a.patch)[0];
  return newest && { url: newest.url, hash: newest.hash };
}

/** The archive holds controller-tools/envtest/{etcd,kube-apiserver,kubectl}. @param {Buffer} bytes @param {string} target */
async function unpack(bytes, target) {
  const file = join(target, "archive.tar.gz");
  await writeFile(file, bytes);
  const result = await run("tar", ["-xzf", file, "-C", target, "--strip-components=2"], { timeoutMs: 120_000 });
  await rm(file, { force: true });
  return result.code === 0 ? undefined : `the archive cannot be unpacked: ${tail(result.output, 3)}`;
}
