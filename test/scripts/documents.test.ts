import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { MINIMUM_ASTERISK } from "../../scripts/lib/asterisk-tree.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { renderDialplan } from "../../src/domain/dialplan.ts";
import { readOperatorConfig } from "../../src/operator/config.ts";
import { aSitePool } from "../ingress/site.ts";

const read = (path: string) => readFile(join(ROOT, path), "utf8");

describe("documents say what the code does:", () => {
  test.each(["README.md", "docs/configuration.md", "docs/cluster.md"])("%s asks for the Asterisk that the dialplan needs, and for no older one", async (path) => {
    const { content } = renderDialplan({ pools: [{ ...aSitePool("default/sales", 1), owned: [{ from: "+12025550110", to: "+12025550119" }] }], trunks: [] });
    expect(content).toContain("StasisBroadcast(");
    const named = [...(await read(path)).matchAll(/Asterisk (\d+\.\d+)/g)].map(([, version]) => version);
    expect(named).toEqual([MINIMUM_ASTERISK]);
  });

  test("the faults of Kubernetes name the operator's Lease", async () => {
    const { leaseSeconds } = readOperatorConfig({ DATABASE_URL: "postgres://u:p@127.0.0.1/d" });
    const benchmarks = await read("docs/benchmarks.md");
    expect(benchmarks).toContain(`of the operator ${leaseSeconds} s)`);
    expect(benchmarks).toContain(`the operator every ${leaseSeconds / 6} s)`);
  });

  test("test:kube runs every test that needs an API server", () => {
    const { scripts } = JSON.parse(textOf("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
    const asked = (scripts["test:kube"] ?? "").split(" ").filter((word) => word.startsWith("test/"));
    const needing = filesOf("test").filter((path) => path.endsWith(".test.ts") && /harness\/kube(-servers)?\.ts"|operator\/world\.ts"|eachWithControlPlane\(/.test(textOf(path)));
    expect(needing.length).toBeGreaterThan(5);
    expect(needing.filter((path) => !asked.some((prefix) => path.startsWith(prefix)))).toEqual([]);
  });
});

describe("every link of a document leads somewhere:", () => {
  test.each(filesOf(".").filter((path) => path.endsWith(".md")))("%s", (path) => {
    const links = [...withoutCode(textOf(path)).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target ?? "");
    expect(links.filter((target) => !/^https?:/.test(target) && !leadsSomewhere(path, target))).toEqual([]);
  });

  test("and one that leads nowhere is found", () => {
    const verdicts = (...targets: readonly string[]) => targets.map((target) => leadsSomewhere("README.md", target));
    expect(verdicts("#quick-start", "docs/cluster.md#rights", "examples/quickstart/")).toEqual([true, true, true]);
    expect(verdicts("#no-heading", "docs/cluster.md#no-heading", "docs/none.md", "src/cli.ts#L1")).toEqual([false, false, false, false]);
  });

  test("and what else names a document names one that is there", () => {
    const documents = filesOf("docs");
    const named = ["src", "test", "scripts", "demo", "examples", "crds", "deploy", "asterisk-image"].flatMap(filesOf).filter((path) => path !== SELF).flatMap((path) =>
      [...textOf(path).matchAll(/(?<!\/)\bdocs\/[\w/.-]*\w/g)].map(([name]) => `${path}: ${name}`));
    expect(named.length).toBeGreaterThan(20);
    // A decision is named by its number alone.
    expect(named.filter((line) => !documents.some((document) => document.startsWith(line.split(": ")[1] ?? "")))).toEqual([]);
  });
});

describe("every file that is named as a place of the code is there:", () => {
  test.each(["README.md", "docs/map.md"])("%s", (path) => {
    const rows = textOf(path).split("\n").filter((line) => line.startsWith("| "));
    const places = rows.flatMap((row) => placesOf(row));
    expect(places.length).toBeGreaterThan(20);
    expect(places.filter((place) => globSync(place, { cwd: ROOT }).length === 0)).toEqual([]);
  });

  test("and one that is not is found", () => {
    const places = placesOf("| a | `src/domain/none.ts`, `e164.ts`, `none.ts`; `src/router/`, `main.ts` | `npm run lint` |");
    expect(places).toEqual(["src/domain/none.ts", "src/domain/e164.ts", "src/domain/none.ts", "src/router/", "src/router/main.ts"]);
  });
});

describe("decision", () => {
  test.each(filesOf("docs/decisions").filter((path) => !path.endsWith("README.md")))("%s has its number, title and status, and a row in the table", (path) => {
    const [, number = "?", title = "?", status = "?"] = /^# (\d{4}) (.+)\n\nStatus: (in force|(?:changed|replaced) by \[\d{4}\].*)\n\n/.exec(textOf(path)) ?? [];
    const name = path.slice("docs/decisions/".length);
    expect(name.startsWith(`${number}-`)).toBe(true);
    expect(textOf("docs/decisions/README.md")).toContain(`| [${number}](${name}) | ${title} | ${status} |`);
  });
});

const SELF = "test/scripts/documents.test.ts";

/** Paths from the root; a name alone is of the folder named last that has it, or of the last one. */
function placesOf(row: string): readonly string[] {
  const places: string[] = [];
  for (const [, name = ""] of row.matchAll(/`([\w.*-][\w./*-]*(?:\/|\.(?:ts|mjs|sh|sql|yaml|json|txt)))`/g)) {
    const folders = places.map((place) => (place.endsWith("/") ? place : `${dirname(place)}/`)).reverse();
    const known = folders.find((folder) => globSync(join(folder, name), { cwd: ROOT }).length > 0) ?? folders[0] ?? "";
    places.push(existsSync(join(ROOT, name.split("/")[0] ?? "")) ? name : join(known, name));
  }
  return places;
}

/** @param target a path from the document on, a heading of it, or both */
function leadsSomewhere(document: string, target: string): boolean {
  const [path = "", heading] = target.split("#");
  const file = path === "" ? document : join(dirname(document), path);
  if (!existsSync(join(ROOT, file))) return false;
  return heading === undefined || (file.endsWith(".md") && headingsOf(file).includes(heading));
}

/** As GitHub makes addresses of headings: lower case, dashes for spaces, no other punctuation. */
function headingsOf(document: string): readonly string[] {
  const titles = [...withoutBlocks(textOf(document)).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title);
  return titles.map((title) => title.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-"));
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, "");
}

function withoutCode(text: string): string {
  return withoutBlocks(text).replace(/`[^`\n]*`/g, "");
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Of the repository, below a folder; nothing that is fetched. */
function filesOf(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name.startsWith(".") ? [] : filesOf(path);
    return entry.isFile() ? [path] : [];
  });
}
