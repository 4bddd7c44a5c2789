import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { validateCommand } from "../../../src/adapters/manifest/validate-command.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-validate-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(args: string[], input = ""): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  async function* stdin(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(Buffer.from(input));
  }
  const code = await validateCommand(args, { stdin: stdin(), stdout: { write: (text) => out.push(text) }, stderr: { write: (text) => err.push(text) } });
  return { code, out: out.join(""), err: err.join("") };
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const TRUNK = "apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nmetadata: {name: carrier}\nspec: {host: sip.carrier.example}\n";
const RULE = `---
apiVersion: dialplane.io/v1alpha1
kind: RoutingRule
metadata: {name: sales}
spec:
  poolRefs: [{name: sales}]
  destinations:
    - {name: desk, number: "12025550141"}
`;

describe("dialplane validate", () => {
  it("answers 0 for the quick start's manifests", async () => {
    const examples = fileURLToPath(new URL("../../../examples/quickstart", import.meta.url));
    expect(await run([examples])).toEqual({ code: 0, out: "3 files, 5 valid resources, 0 problems\n", err: "" });
  });

  it("answers 2 and names file, line, document, object, field and what is allowed", async () => {
    const path = await file("rules.yaml", TRUNK + RULE);
    const { code, out, err } = await run([path]);
    expect(code).toBe(2);
    expect(err).toBe(
      `${path}:12: document 2 (RoutingRule default/sales): spec.destinations[0].number: must match ^\\+[1-9][0-9]{6,14}$, for example +12025550141, but is "12025550141"\n`,
    );
    expect(out).toBe("1 file, 1 valid resource, 1 problem\n");
  });

  it("reads standard input for -", async () => {
    expect(await run(["-"], TRUNK)).toMatchObject({ code: 0, err: "" });
    expect(await run(["-"], RULE)).toMatchObject({ code: 2 });
  });

  it("prints one JSON object with --json", async () => {
    const path = await file("json.yaml", TRUNK + RULE);
    const { code, out, err } = await run(["--json", path]);
    expect({ code, err }).toEqual({ code: 2, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      resources: [{ file: path, kind: "SipTrunk", namespace: "default", name: "carrier" }],
      problems: [{ file: path, document: 2, line: 12, field: "spec.destinations[0].number" }],
      warnings: [],
    });
  });

  it("passes over what is of other APIs, says so, and reads lists", async () => {
    const others = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n---\n';
    const list = 'apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: dialplane.io/v1alpha1, kind: SipTrunk, metadata: {name: second}, spec: {host: 192.0.2.7}}\n  - {apiVersion: dialplane.io/v1alpha1, kind: SipTrunk, metadata: {name: third}, spec: {}}\n';
    const { code, out, err } = await run([await file("others.yaml", `${others}${TRUNK}---\n${list}`)]);
    expect(code).toBe(2);
    expect(err).toMatch(/others\.yaml:\d+: document 4 \(SipTrunk default\/third\): spec\.host: must be specified\n$/);
    expect(out).toBe("1 file, 2 valid resources, 1 problem; passed over 2 objects of other APIs: Namespace shop, an object without a name\n");
  });

  it("does not pass over one of our kinds under a mistyped API", async () => {
    const { code, err } = await run([await file("mistyped.yaml", TRUNK.replace("dialplane.io", "dialplan.io"))]);
    expect(code).toBe(2);
    expect(err).toContain("apiVersion: must be dialplane.io/v1alpha1");
  });

  it("refuses one object declared in two files", async () => {
    const [a, b] = [await file("a.yaml", TRUNK), await file("b.yaml", TRUNK)];
    const { code, err } = await run([a, b]);
    expect(code).toBe(2);
    expect(err).toBe(`${b}: SipTrunk default/carrier: metadata.name: must be unique, but ${a} declares the same object\n`);
  });

  it("refuses one Secret declared in two files", async () => {
    const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\nstringData: {username: u, password: one}\n";
    const [a, b] = [await file("s1.yaml", secret), await file("s2.yaml", secret.replace("one", "two"))];
    expect(await run([a, b])).toMatchObject({ code: 2, err: `${b}: Secret default/c: metadata.name: must be unique, but ${a} declares the same object\n` });
  });

  it("judges a Secret only where a trunk names it, in whatever file", async () => {
    const git = await file("git.yaml", `apiVersion: v1\nkind: Secret\nmetadata: {name: git}\nstringData: {username: git, password: ${"a".repeat(400)}}\n`);
    expect(await run([git, await file("trunk.yaml", TRUNK)])).toMatchObject({ code: 0, err: "" });
    const named = await file("named.yaml", TRUNK.replace("example}", "example, authentication: {secretRef: {name: git}}}"));
    const { code, err } = await run([git, named]);
    expect(code).toBe(2);
    expect(err).toBe(`${git}:4: document 1 (Secret default/git): stringData.password: must be a string of 1 to 256 characters without line breaks, control characters and spaces at its ends\n`);
  });

  it("warns, and answers 0, where the world may be stranger than we know", async () => {
    const path = await file("warn.yaml", TRUNK.replace("}\n", "}\n").replace("sip.carrier.example}", "sip.carrier.example, mediaEncryption: SDES, sourceAddresses: [0.0.0.0/0, '::ffff:0:0/96']}"));
    const { code, out, err } = await run([path]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("warning: ");
    expect(out).toContain("spec.transport: should be TLS when `mediaEncryption` is SDES");
    expect(out).toContain("spec.sourceAddresses[0]: should not be every address");
    expect(out).toContain("spec.sourceAddresses[1]: should not be every address");
  });

  it("answers 2 for a file that is not there, a folder without manifests and one too large", async () => {
    expect((await run([join(folder, "absent.yaml")])).err).toMatch(/absent\.yaml: must be readable: /);
    const empty = await mkdtemp(join(folder, "empty-"));
    expect(await run([empty])).toMatchObject({ code: 2, err: `${empty}: must hold at least one *.yaml, *.yml or *.json\n` });
    const large = await file("large.yaml", "#".repeat(4 * 1024 * 1024 + 1));
    expect(await run([large])).toMatchObject({ code: 2, err: `${large}: must be at most 4194304 bytes, but has 4194305\n` });
    expect(await run(["-"], "#".repeat(4 * 1024 * 1024 + 1))).toMatchObject({ code: 2, err: "(standard input): must be at most 4194304 bytes\n" });
  });

  it("says of a folder with a link that leads nowhere what is wrong in its other files too", async () => {
    const linked = await mkdtemp(join(folder, "linked-"));
    await symlink("/nowhere", join(linked, "b.yaml"));
    await writeFile(join(linked, "c.yaml"), RULE);
    const { code, out, err } = await run([linked]);
    expect(code).toBe(2);
    expect(err.split("\n")).toMatchObject([expect.stringContaining("b.yaml: must be readable: "), expect.stringContaining("c.yaml:8: document 1 (RoutingRule default/sales)"), ""]);
    expect(out).toBe("2 files, 0 valid resources, 2 problems\n");
  });

  it("answers 2 with its usage when it is called wrongly, 0 with --help", async () => {
    expect(await run([])).toMatchObject({ code: 2, out: "" });
    expect((await run(["--yaml", "x"])).err).toContain('no option "--yaml"');
    for (const help of ["--help", "-h"]) expect(await run([help])).toMatchObject({ code: 0, err: "" });
  });
});
