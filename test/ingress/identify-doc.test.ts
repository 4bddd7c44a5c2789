import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { verifyPersonToken } from "../../src/domain/person-token.ts";
import { findOnPath, temporaryFolder } from "../harness/process.ts";

const run = promisify(execFile);
const site = "acme";
const exp = 1_780_315_800;
const secret = "test-vector-secret-of-32-characters-or-more";
const subjects = ["customer-42", "Zoë / 東京 & <sons>"];
const shortlyBefore = new Date((exp - 600) * 1000);

const text = await readFile(fileURLToPath(new URL("../../docs/identify.md", import.meta.url)), "utf8");
/** The code of a language that has the function; "" is what has no language: the vectors. */
const blocks = (language: string) => [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter((match) => match[1] === language).map((match) => match[2] ?? "");
const code = (language: string) => blocks(language).find((block) => /person_?token/i.test(block) && !block.includes("window")) ?? "";
const vectors = subjects.map((subject, index) => ({ subject, token: blocks("")[index]?.trim() ?? "" }));
const [vector] = vectors as [(typeof vectors)[0]];

interface Language {
  readonly program: string;
  /** Text of the program that writes a token for each argument, one a line; and the command that runs the file. */
  readonly file: string;
  readonly source: string;
  readonly command: readonly string[];
}

const languages: readonly Language[] = [
  {
    program: "node", file: "token.mjs", command: ["node"],
    source: `${code("js")}\nfor (const subject of process.argv.slice(2)) console.log(personToken(subject, "${secret}", "${site}", ${exp}));`,
  },
  {
    program: "python3", file: "token_.py", command: ["python3"],
    source: `${code("python")}\nimport sys\nfor subject in sys.argv[1:]: print(person_token(subject, "${secret}", "${site}", ${exp}))`,
  },
  {
    program: "php", file: "token.php", command: ["php"],
    source: `${code("php")}\nforeach (array_slice($argv, 1) as $subject) echo person_token($subject, "${secret}", "${site}", ${exp}), "\\n";`,
  },
  {
    program: "go", file: "token.go", command: ["go", "run"],
    source: `${code("go").replace("package identify", "package main").replace('import (', 'import (\n\t"fmt"\n\t"os"')}
func main() { for _, subject := range os.Args[1:] { token, err := PersonToken(subject, "${secret}", "${site}", ${exp}); if err != nil { panic(err) }; fmt.Println(token) } }`,
  },
];

const installed = languages.filter(({ program }) => findOnPath(program) !== undefined);

describe("docs/identify.md", () => {
  it.each(vectors)("gives a test vector for $subject that the service takes, until it expires", ({ subject, token }) => {
    const secrets = new Map([[site, [secret]]]);
    expect(verifyPersonToken(token, secrets, shortlyBefore)).toEqual({ site, subject, expiresAt: new Date(exp * 1000) });
    expect(() => verifyPersonToken(token, secrets, new Date((exp + 60) * 1000))).toThrow("must not be expired");
  });

  it("takes the vector while the secret is being replaced, and no more when the old one is gone", () => {
    const next = "the-next-secret-of-acme-has-32-characters-or-more";
    expect(verifyPersonToken(vector.token, new Map([["acme", [next, secret]]]), shortlyBefore).subject).toBe(vector.subject);
    expect(() => verifyPersonToken(vector.token, new Map([["acme", [next]]]), shortlyBefore)).toThrow("must be signed by a site");
  });

  it("has code in four languages", () => {
    expect(["js", "python", "php", "go"].filter((language) => code(language) !== "")).toHaveLength(4);
  });

  it("is run in the languages that the machine has, and it is said which those are not", () => {
    expect(installed.map(({ program }) => program)).toContain("node");
    const missing = languages.filter((language) => !installed.includes(language)).map(({ program }) => program);
    if (missing.length > 0) process.stderr.write(`docs/identify.md: not run, as it is not installed here: ${missing.join(", ")}\n`);
  });

  it.each(installed)("shows code for $program that makes the vectors", async ({ file, source, command: [program = "", ...rest] }) => {
    const folder = await temporaryFolder("identify");
    try {
      const path = join(folder.path, file);
      await writeFile(path, source);
      const { stdout } = await run(program, [...rest, path, ...subjects], { timeout: 100_000 });
      expect(stdout.trim().split("\n")).toEqual(vectors.map(({ token }) => token));
    } finally {
      await folder.remove();
    }
  }, 120_000);
});
