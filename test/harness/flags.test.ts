import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly scripts: Readonly<Record<string, string>> };
const PROGRAMS = Object.entries(scripts).flatMap(([name, script]) => {
  const file = /test\/(?:bench|chaos)\/\S+$/.exec(script)?.[0];
  return file === undefined ? [] : [[name, file] as const];
});

test("there are programs that measure and break things", () => {
  expect(PROGRAMS.length).toBeGreaterThan(8);
});

test.each(PROGRAMS)("npm run %s refuses an option that it does not know with 2 and one line: 1 is for what did not hold", async (_name, file) => {
  const ended = await new Promise<{ readonly code: unknown; readonly stderr: string }>((resolve) => {
    execFile(process.execPath, [join(ROOT, file), "--clams", "5"], (error, _stdout, stderr) => resolve({ code: error?.code ?? 0, stderr }));
  });
  expect(ended).toEqual({ code: 2, stderr: expect.stringMatching(/^Unknown option '--clams'.*; known are --.*\n$/) as string });
});
