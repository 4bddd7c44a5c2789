import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { runScript, startScript } from "./command.ts";

const ENV = { PATH: process.env["PATH"] ?? "" };
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-run-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function script(body: string): Promise<string> {
  const file = join(folder, "program.ts");
  await writeFile(file, body);
  return file;
}

describe("run.mjs", () => {
  test("runs TypeScript on Node 24 with the arguments and hands back its exit code", async () => {
    const file = await script("const a: string[] = process.argv.slice(2); console.log(process.version, a.join()); process.exitCode = 7;");
    const { code, stdout } = await runScript("run.mjs", ["--parts", "npm", file, "--one", "two"], ENV);
    expect(stdout).toMatch(/^v24\.\S+ --one,two\n$/);
    expect(code).toBe(7);
  });

  test("passes a signal on and waits for the program to end", async () => {
    const file = await script("process.on('SIGTERM', () => { console.log('drained'); process.exit(5); }); setInterval(() => {}, 1000); console.log('up');");
    const { child, result, ended } = startScript("run.mjs", ["--parts", "npm", file], ENV);
    await expect.poll(() => result.stdout, { timeout: 10_000 }).toBe("up\n");
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 5, stdout: "up\ndrained\n" });
  });

  test("says how it is used when no file is named", async () => {
    const { code, stderr } = await runScript("run.mjs", ["--parts", "npm"], ENV);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no file was named[\s\S]*scripts\/run\.mjs \[--parts/);
  });
});

test("npm run dialplane asks for no database that its command does not: a pipeline validates without one", async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { readonly scripts: { readonly dialplane: string } };
  const [node, script, ...args] = scripts.dialplane.split(" ");
  expect([node, script]).toEqual(["node", "scripts/run.mjs"]);
  const { code, stdout } = await runScript("run.mjs", [...args, "validate", "examples/quickstart"], { ...ENV, DATABASE_URL: "postgres://u:p@127.0.0.1:1/db" });
  expect([code, stdout]).toEqual([0, expect.stringContaining("0 problems")]);
});
