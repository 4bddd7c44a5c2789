import { mkdir, mkdtemp, rename, rm, stat, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IdentityRegister } from "../../../src/adapters/directory/identity.ts";
import { lastGoodIn } from "../../../src/adapters/directory/last-good.ts";
import { directorySource, type FileContent } from "../../../src/adapters/directory/source.ts";
import { loadSchemas } from "../../../src/adapters/manifest/load-schemas.ts";
import { readManifests } from "../../../src/adapters/manifest/read-manifests.ts";
import type { Declared, ResourceSource } from "../../../src/domain/ports.ts";
import type { AnyResource } from "../../../src/domain/resources.ts";
import { silent } from "../../harness/logger.ts";

let folder: string;
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-directory-"));
  now = new Date("2026-01-01T00:00:00Z");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** One line a resource: `NAME PRIORITY`; a line `BROKEN` is a problem. The real reader has tests of its own. */
function parse(text: string, file: string): FileContent {
  const lines = text.split("\n").filter((line) => line !== "");
  const problems = lines.includes("BROKEN") ? [{ file, document: 1, field: "spec", message: "must not be broken" }] : [];
  const resources = lines.map((line) => {
    const [name, priority] = line.split(" ");
    return { kind: "RoutingRule", metadata: { name, namespace: "default" }, spec: { priority } } as unknown as AnyResource;
  });
  return { objects: lines.length, resources: problems.length > 0 ? [] : resources, credentials: new Map(), problems };
}

async function source(directory = folder): Promise<ResourceSource> {
  const identities = await IdentityRegister.open(join(folder, ".identities.json"));
  return directorySource({ directory, parse, identities, lastGood: lastGoodIn(join(folder, "kept")), clock: { now: () => now }, logger: silent });
}

const put = (name: string, text: string) => writeFile(join(folder, name), text);
const later = (milliseconds: number) => (now = new Date(now.getTime() + milliseconds));
const namesOf = (declared: Declared) => declared.resources.map((resource) => resource.metadata.name);

/** Read, and once more when it has been left alone for long enough. */
async function settled(folderSource: ResourceSource): Promise<Declared> {
  await folderSource.read();
  later(2_000);
  return folderSource.read();
}

/** Resolves when the source tells of a change after it was made. */
async function told(folderSource: ResourceSource, change: () => Promise<unknown>): Promise<void> {
  let isDone = false;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const unwatch = await folderSource.watch(() => {
    if (isDone) resolve(undefined);
  });
  await change();
  isDone = true;
  await promise;
  await unwatch();
}

describe("resources from a folder", () => {
  it("reads every manifest of the folder and nothing else", async () => {
    await put("a.yaml", "one 1\ntwo 2");
    await put("b.yml", "three 3");
    await put("notes.txt", "four 4");
    await put(".hidden.yaml", "five 5");
    const declared = await (await source()).read();
    expect(namesOf(declared)).toEqual(["one", "two", "three"]);
    expect(declared.problems).toEqual([]);
  });

  it("takes nothing of a broken file and reports it", async () => {
    await put("a.yaml", "one 1\nBROKEN");
    await put("b.yaml", "two 2");
    const declared = await (await source()).read();
    expect(namesOf(declared)).toEqual(["two"]);
    expect(declared.problems).toEqual([{ file: "a.yaml", document: 1, field: "spec", message: "must not be broken" }]);
  });

  it("keeps the last good state of a file that breaks, until it is mended or deleted", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", "one 2\nBROKEN");
    const broken = await folderSource.read();
    expect(broken.resources.map((r) => r.spec)).toEqual([{ priority: "1" }]);
    expect(broken.problems).toHaveLength(1);
    await put("a.yaml", "one 3");
    expect((await folderSource.read()).resources.map((r) => r.spec)).toEqual([{ priority: "3" }]);
    await unlink(join(folder, "a.yaml"));
    expect(namesOf(await settled(folderSource))).toEqual([]);
  });

  it("keeps it over a restart as well, for nobody else's eyes, and not when it was deleted meanwhile", async () => {
    await put("a.yaml", "one 1");
    await put("b.yaml", "two 2");
    await (await source()).read();
    expect((await stat(join(folder, "kept", "a.yaml"))).mode & 0o077).toBe(0);
    await put("a.yaml", "one 2\nBROKEN");
    await unlink(join(folder, "b.yaml"));
    const { resources, problems } = await (await source()).read();
    expect([resources.map((r) => r.spec), problems.length]).toEqual([[{ priority: "1" }], 1]);
    await put("b.yaml", "BROKEN");
    expect(namesOf(await (await source()).read())).toEqual(["one"]);
  });

  it("refuses the second declaration of an object and names the first", async () => {
    await put("a.yaml", "one 1");
    await put("b.yaml", "one 2");
    const declared = await (await source()).read();
    expect(declared.resources.map((r) => r.spec)).toEqual([{ priority: "1" }]);
    expect(declared.problems[0]?.message).toBe("RoutingRule default/one must be declared once; it is already in a.yaml");
  });

  it("reports a file that cannot be read and goes on with the others", async () => {
    await put("a.yaml", "one 1");
    await symlink(join(folder, "nowhere"), join(folder, "b.yaml"));
    const declared = await (await source()).read();
    expect(namesOf(declared)).toEqual(["one"]);
    expect(declared.problems[0]).toMatchObject({ file: "b.yaml", document: null });
    expect(declared.problems[0]?.message).toContain("must be readable");
  });
});

describe("a file that declares less than before", () => {
  it.each([
    ["is empty", ""],
    ["holds its first documents only", "one 1\n"],
  ])("and %s for a moment loses nothing", async (_, half) => {
    await put("a.yaml", "one 1\ntwo 2");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", half);
    expect(namesOf(await folderSource.read())).toEqual(["one", "two"]);
    later(1_900);
    expect(namesOf(await folderSource.read())).toEqual(["one", "two"]);
    await put("a.yaml", "one 1\ntwo 3");
    expect((await folderSource.read()).resources.map((r) => r.spec)).toEqual([{ priority: "1" }, { priority: "3" }]);
  });

  it("is taken when it has been left alone for 2 s, and not while it grows", async () => {
    await put("a.yaml", "one 1\ntwo 2\nthree 3");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", "one 1\n");
    await folderSource.read();
    later(2_000);
    await put("a.yaml", "one 1\ntwo 2\n");
    expect(namesOf(await folderSource.read())).toEqual(["one", "two", "three"]);
    later(2_000);
    expect(await folderSource.read()).toMatchObject({ resources: [{ metadata: { name: "one" } }, { metadata: { name: "two" } }], problems: [] });
  });

  it("and holds no object at all is a problem for as long as it is there, over a restart as well", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", "");
    const problem = { file: "a.yaml", document: null, field: null, message: "declares nothing any more: delete the file to delete what it declared" };
    for (const from of [folderSource, await source()]) {
      const declared = await settled(from);
      expect([namesOf(declared), declared.problems]).toEqual([["one"], [problem]]);
    }
    await unlink(join(folder, "a.yaml"));
    expect(await settled(folderSource)).toMatchObject({ resources: [], problems: [] });
  });

  it("because it is gone is waited for too: a folder is removed and copied anew", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    const { uid } = (await folderSource.read()).resources[0]!.metadata;
    await unlink(join(folder, "a.yaml"));
    expect(namesOf(await folderSource.read())).toEqual(["one"]);
    await put("a.yaml", "one 1");
    expect((await settled(folderSource)).resources[0]!.metadata.uid).toBe(uid);
  });

  it("because another one declares it now is taken at once, also when nothing is left in it", async () => {
    await put("a.yaml", "one 1\ntwo 2");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", "");
    await put("b.yaml", "one 2\ntwo 3");
    expect(await folderSource.read()).toMatchObject({ resources: [{ spec: { priority: "2" } }, { spec: { priority: "3" } }], problems: [] });
  });

  it("since before this start is taken at once: it was not written just now", async () => {
    await put("a.yaml", "one 1\ntwo 2");
    await (await source()).read();
    await put("a.yaml", "one 1");
    await utimes(join(folder, "a.yaml"), now, now);
    later(2_000);
    expect(namesOf(await (await source()).read())).toEqual(["one"]);
  });

  it("is read again by itself when that time is over", async () => {
    await put("a.yaml", "one 1\ntwo 2");
    const folderSource = await source();
    await folderSource.read();
    await put("a.yaml", "one 1");
    await folderSource.read();
    await told(folderSource, () => Promise.resolve());
  });
});

describe("Secrets of a folder", () => {
  const trunk = "apiVersion: dialplane.io/v1alpha1\nkind: SipTrunk\nmetadata: {name: t}\nspec: {host: a.example, authentication: {secretRef: {name: c}}}\n";
  const secret = (password: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: c}\nstringData: {username: u, password: ${password}}\n`;

  async function manifests(): Promise<ResourceSource> {
    const schemas = await loadSchemas();
    const identities = await IdentityRegister.open(join(folder, ".identities.json"));
    return directorySource({ directory: folder, parse: (text, name) => readManifests(schemas, text, name), identities, clock: { now: () => now }, logger: silent });
  }

  it("are judged when a trunk of any file names them, and their file's last good state stays", async () => {
    await put("secret.yaml", secret("one"));
    await put("trunk.yaml", trunk);
    const folderSource = await manifests();
    await folderSource.read();
    await put("secret.yaml", secret("'two '"));
    const { credentials, problems } = await folderSource.read();
    expect([...credentials.values(), problems]).toMatchObject([{ password: "one" }, [{ file: "secret.yaml", field: "stringData.password" }]]);
  });

  it("are declared once: the first file's stays, and the other is told", async () => {
    await put("a.yaml", secret("one"));
    await put("b.yaml", secret("two"));
    const { credentials, problems } = await (await manifests()).read();
    expect([...credentials.values()]).toEqual([{ username: "u", password: "one" }]);
    expect(problems).toMatchObject([{ file: "b.yaml", message: "Secret default/c must be declared once; it is already in a.yaml" }]);
  });

  it("of others keep nothing out of force", async () => {
    await put("a.yaml", `${secret("a".repeat(400))}---\n${trunk.replace("secretRef: {name: c}", "secretRef: {name: d}")}`);
    expect(await (await manifests()).read()).toMatchObject({ resources: [{ kind: "SipTrunk" }], problems: [] });
  });
});

describe("identity of objects in a folder", () => {
  it("keeps uid and creation time over a restart and counts changes of spec", async () => {
    await put("a.yaml", "one 1");
    const before = (await (await source()).read()).resources[0]!.metadata;
    now = new Date("2026-02-01T00:00:00Z");
    await put("a.yaml", "one 2");
    const after = (await (await source()).read()).resources[0]!.metadata;
    expect(before.generation).toBe(1);
    expect(after).toMatchObject({ uid: before.uid, creationTimestamp: "2026-01-01T00:00:00.000Z", generation: 2 });
  });

  it("refuses to begin anew when the register is damaged: the database would lose what it knows of all objects", async () => {
    await put(".identities.json", "{");
    await expect(source()).rejects.toMatchObject({ code: "InvalidInput", message: expect.stringContaining(".identities.json must be") as string });
  });

  it("is in force only when it is on the disk: one that could not be kept would be another after a restart", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    // As a disk that is full: nothing can take its place.
    await mkdir(join(folder, ".identities.json"));
    await expect(folderSource.read()).rejects.toThrow();
    await rm(join(folder, ".identities.json"), { recursive: true });
    const { uid } = (await folderSource.read()).resources[0]!.metadata;
    expect((await (await source()).read()).resources[0]!.metadata.uid).toBe(uid);
  });

  it("gives a deleted and re-created object a new uid", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    const first = (await folderSource.read()).resources[0]!.metadata.uid;
    await unlink(join(folder, "a.yaml"));
    await settled(folderSource);
    await put("a.yaml", "one 1");
    expect((await folderSource.read()).resources[0]!.metadata.uid).not.toBe(first);
  });
});

describe("watching a folder", () => {
  it("tells of a changed, a new and a deleted file", async () => {
    await put("a.yaml", "one 1");
    const folderSource = await source();
    let changes = 0;
    let notify: () => void = () => undefined;
    const unwatch = await folderSource.watch(() => {
      changes += 1;
      notify();
    });
    const next = () => new Promise<void>((resolve) => (notify = resolve));
    for (const change of [() => put("a.yaml", "one 2"), () => put("b.yaml", "two 1"), () => unlink(join(folder, "a.yaml"))]) {
      const told = next();
      await change();
      await told;
    }
    await unwatch();
    expect(changes).toBeGreaterThanOrEqual(3);
  });

  it("tells of a symbolic link that points to another folder", async () => {
    for (const version of ["v1", "v2"]) {
      await mkdir(join(folder, version));
      await put(`${version}/a.yaml`, `one ${version}`);
    }
    const current = join(folder, "current");
    await symlink("v1", current);
    const folderSource = await source(current);
    await folderSource.read();
    await told(folderSource, async () => {
      await symlink("v2", join(folder, "next"));
      await rename(join(folder, "next"), current);
    });
    expect((await folderSource.read()).resources.map((r) => r.spec)).toEqual([{ priority: "v2" }]);
  });

  it("tells of a folder that is removed and made again", async () => {
    const inner = join(folder, "manifests");
    await mkdir(inner);
    await put("manifests/a.yaml", "one 1");
    const folderSource = await source(inner);
    await folderSource.read();
    await told(folderSource, async () => {
      await rm(inner, { recursive: true });
      await sleep(300);
      await mkdir(inner);
      await sleep(300);
      return put("manifests/a.yaml", "one 2");
    });
    expect((await folderSource.read()).resources.map((r) => r.spec)).toEqual([{ priority: "2" }]);
  });

  it("tells of the swap by which a mounted ConfigMap is updated", async () => {
    for (const version of ["..v1", "..v2"]) {
      await mkdir(join(folder, version));
      await put(`${version}/a.yaml`, `one ${version}`);
    }
    await symlink("..v1", join(folder, "..data"));
    await symlink("..data/a.yaml", join(folder, "a.yaml"));
    const folderSource = await source();
    await folderSource.read();
    await told(folderSource, async () => {
      await symlink("..v2", join(folder, "..data_tmp"));
      await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    });
    expect((await folderSource.read()).resources.map((r) => r.spec)).toEqual([{ priority: "..v2" }]);
  });
});
