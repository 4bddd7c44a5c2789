import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { loadSchemas, type Schemas } from "../../../src/adapters/manifest/load-schemas.ts";
import { readManifests } from "../../../src/adapters/manifest/read-manifests.ts";

function samples(folder: string): { name: string; text: string }[] {
  const path = fileURLToPath(new URL(`../../crds/${folder}/`, import.meta.url));
  return readdirSync(path).map((name) => ({ name, text: readFileSync(`${path}${name}`, "utf8") }));
}

let schemas: Schemas;
beforeAll(async () => {
  schemas = await loadSchemas();
});

describe("a valid sample", () => {
  it("is one of at least twelve", () => expect(samples("valid").length).toBeGreaterThanOrEqual(12));

  it.each(samples("valid"))("$name is taken without problems and warnings", ({ name, text }) => {
    const { resources, problems, warnings } = readManifests(schemas, text, name);
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(resources.length).toBeGreaterThan(0);
  });
});

describe("a sample in with-warnings", () => {
  it.each(samples("with-warnings"))("$name is taken with its one warning", ({ name, text }) => {
    const expected = /^# expect: (\S.*?): (.+)\n/.exec(text);
    const { resources, problems, warnings } = readManifests(schemas, text, name);
    expect({ resources: resources.length, problems }).toEqual({ resources: 1, problems: [] });
    expect(warnings).toMatchObject([{ file: name, field: expected?.[1] }]);
    expect(warnings[0]?.message.startsWith(expected?.[2] ?? "(no expectation)")).toBe(true);
  });
});

describe.each(["invalid", "not-accepted"])("a sample in %s", (folder) => {
  it.each(samples(folder))("$name is refused for its one fault only", ({ name, text }) => {
    const expected = /^# expect: (\S.*?): (.+)\n/.exec(text);
    const { resources, problems } = readManifests(schemas, text, name);
    expect(resources).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ file: name, document: 1, field: expected?.[1] });
    expect(problems[0]?.message.startsWith(expected?.[2] ?? "(no expectation)")).toBe(true);
    expect(problems[0]?.message).toMatch(/^(must|may) /);
  });
});

it("there are at least 45 invalid samples, no two of them alike", () => {
  const texts = samples("invalid").map(({ text }) => text);
  expect(texts.length).toBeGreaterThanOrEqual(45);
  expect(new Set(texts).size).toBe(texts.length);
});

it("every rule of the definitions in crds/ refuses one of the invalid samples", () => {
  const refused = new Set(samples("invalid").flatMap(({ text }) => /^# expect: (?:\S+): (.+)\n/.exec(text)?.slice(1) ?? []));
  const directory = fileURLToPath(new URL("../../../crds/", import.meta.url));
  const messages = readdirSync(directory).flatMap((file) =>
    [...readFileSync(`${directory}${file}`, "utf8").matchAll(/- rule: .*\n\s+message: (.+)\n/g)].map((match) => match[1]),
  );
  expect(messages.length).toBeGreaterThan(10);
  expect(messages.filter((message) => !refused.has(message ?? ""))).toEqual([]);
});
