import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** @typedef {{ uri: string, suite: string, components: string[] }} AptSource */

/**
 * One-line format of apt (sources.list(5)).
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseOneLineSources(text) {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    return match ? [{ uri: match[1] ?? "", suite: match[2] ?? "", components: words(match[3]) }] : [];
  });
}

/**
 * deb822 format of apt (sources.list(5)): paragraphs of `Field: value`, indented lines go on.
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseDeb822Sources(text) {
  const withoutComments = text.split("\n").filter((line) => !line.startsWith("#")).join("\n");
  return withoutComments.split(/\n\s*\n/).flatMap((paragraph) => {
    const fields = new Map(
      paragraph.replace(/\n[ \t]+/g, " ").split("\n").map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1)];
      }),
    );
    const binary = words(fields.get("types")).includes("deb") && fields.get("enabled")?.trim().toLowerCase() !== "no";
    if (!binary) return [];
    const components = words(fields.get("components"));
    return words(fields.get("uris")).flatMap((uri) => words(fields.get("suites")).map((suite) => ({ uri, suite, components })));
  });
}

/**
 * Addresses of the Debian archive among apt's sources: it holds `main` and is not the security archive.
 * @param {readonly AptSource[]} sources
 * @returns {string[]} in order, each once
 */
export function debianMirrors(sources) {
  const archives = sources.filter(
    ({ uri, suite, components }) =>
      components.includes("main") && !suite.includes("security") && /\/debian\/?$|\/debian\.list$/.test(uri),
  );
  return [...new Set(archives.map(({ uri }) => uri.replace(/\/$/, "")))];
}

/**
 * Reads the machine's apt configuration.
 * @param {string} [folder] where apt keeps its configuration
 * @returns {Promise<AptSource[]>}
 */
export async function readAptSources(folder = "/etc/apt") {
  const parts = await readdir(join(folder, "sources.list.d")).catch(() => []);
  const files = ["sources.list", ...parts.sort().map((name) => join("sources.list.d", name))];
  const parsed = await Promise.all(
    files.map(async (name) => {
      const text = await readFile(join(folder, name), "utf8").catch(() => "");
      return name.endsWith(".sources") ? parseDeb822Sources(text) : name.endsWith(".list") ? parseOneLineSources(text) : [];
    }),
  );
  return parsed.flat();
}

/** @param {string | undefined} text @returns {string[]} */
function words(text) {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}
