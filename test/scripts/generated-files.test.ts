import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { compareFiles, firstDifferingLine, runGenerators, writeFiles } from "../../scripts/lib/generated-files.mjs";

const CONTENT = "// DO NOT EDIT\none\ntwo\n";
let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "dialplane-generated-"));
});
afterEach(() => rm(root, { recursive: true }));

async function generator(name: string, body: string): Promise<string> {
  const folder = join(root, "generators");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), body);
  return folder;
}

describe("runGenerators", () => {
  test("joins the files of every generator", async () => {
    await generator("a.mjs", "export const generate = async () => ({ 'x/a.ts': 'A' });");
    const folder = await generator("b.mjs", "export const generate = async () => ({ 'x/b.ts': 'B' });");
    expect([...(await runGenerators(folder))]).toEqual([["x/a.ts", "A"], ["x/b.ts", "B"]]);
  });

  test("makes nothing when there is no generator", async () => {
    expect((await runGenerators(join(root, "absent"))).size).toBe(0);
  });

  const refused: Record<string, [string, RegExp]> = {
    "a path outside the checkout": ["export const generate = async () => ({ '../x': '' });", /must be a path inside/],
    "an absolute path": ["export const generate = async () => ({ '/x': '' });", /must be a path inside/],
    "a file without generate()": ["export const other = 1;", /must export generate/],
    "a generator that fails, naming it": ["export const generate = async () => { throw new Error('no schema'); };", /a\.mjs: no schema/],
  };
  test.each(Object.entries(refused))("refuses %s", async (_name, [body, message]) => {
    const folder = await generator("a.mjs", body);
    await expect(runGenerators(folder)).rejects.toThrow(message);
  });

  test("refuses two generators of one file", async () => {
    const body = "export const generate = async () => ({ 'a.ts': '' });";
    await generator("a.mjs", body);
    const folder = await generator("b.mjs", body);
    await expect(runGenerators(folder)).rejects.toThrow(/another generator makes already/);
  });
});

describe("what is checked in", () => {
  // Tests and programs run what is checked in, not its sources: the browser script, the types, the API's description.
  test("is what every generator makes, to the last line", async () => {
    const files = await runGenerators(join(ROOT, "scripts/generators"));
    expect([...files.keys()]).toEqual(expect.arrayContaining(["src/snippet/dialplane.generated.js", "src/domain/api.generated.ts", "src/adapters/postgres/schema.generated.sql", "docs/openapi.json"]));
    expect(await compareFiles(ROOT, files)).toEqual([]);
  }, 120_000);
});

describe("compareFiles", () => {
  test("finds nothing when the files are as generated", async () => {
    await writeFiles(root, new Map([["deep/a.ts", CONTENT]]));
    expect(await compareFiles(root, new Map([["deep/a.ts", CONTENT]]))).toEqual([]);
  });

  test("names a changed file and its first differing line", async () => {
    await writeFile(join(root, "a.ts"), CONTENT.replace("two", "three"));
    expect(await compareFiles(root, new Map([["a.ts", CONTENT]]))).toEqual(['a.ts: line 3 is "three", generated is "two"']);
  });

  test("names a missing file", async () => {
    expect(await compareFiles(root, new Map([["a.ts", CONTENT]]))).toEqual(["a.ts: is missing"]);
  });

  test("asks for the mark, except in JSON, which has no comments", async () => {
    const files = new Map([["a.ts", "one\n"], ["b.json", "{}\n"]]);
    await writeFiles(root, files);
    expect(await compareFiles(root, files)).toEqual(['a.ts: its generator must put a line with "DO NOT EDIT" into it']);
  });
});

describe("firstDifferingLine", () => {
  test("tells when the file on disk is shorter", () => {
    expect(firstDifferingLine("one", "one\ntwo")).toBe('line 2 is (end of file), generated is "two"');
  });
});

describe("writeFiles", () => {
  test("writes only what differs", async () => {
    await writeFiles(root, new Map([["a.ts", CONTENT], ["b.ts", CONTENT]]));
    await writeFile(join(root, "b.ts"), "edited by hand");
    expect(await writeFiles(root, new Map([["a.ts", CONTENT], ["b.ts", CONTENT]]))).toEqual(["b.ts"]);
    expect(await readFile(join(root, "b.ts"), "utf8")).toBe(CONTENT);
  });
});
