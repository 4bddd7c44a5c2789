import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { debianMirrors, parseDeb822Sources, parseOneLineSources, readAptSources } from "../../scripts/lib/mirrors.mjs";

const DEB822 = `Types: deb
# a comment inside a paragraph
URIs: http://mirror.example/debian
Suites: stable stable-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: stable-security
Components: main
`;

describe("parseOneLineSources", () => {
  test("reads address, suite and components and skips options, comments and source packages", () => {
    const text = [
      "# deb http://off.example/debian stable main",
      "deb-src http://mirror.example/debian stable main",
      "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian stable main contrib # ours",
    ].join("\n");
    expect(parseOneLineSources(text)).toEqual([{ uri: "http://mirror.example/debian", suite: "stable", components: ["main", "contrib"] }]);
  });
});

describe("parseDeb822Sources", () => {
  test("gives one source for each address and suite", () => {
    expect(parseDeb822Sources(DEB822)).toEqual([
      { uri: "http://mirror.example/debian", suite: "stable", components: ["main"] },
      { uri: "http://mirror.example/debian", suite: "stable-updates", components: ["main"] },
      { uri: "http://mirror.example/debian-security", suite: "stable-security", components: ["main"] },
    ]);
  });

  test("skips a paragraph that is switched off", () => {
    expect(parseDeb822Sources(`Enabled: no\n${DEB822}`).map(({ suite }) => suite)).toEqual(["stable-security"]);
  });

  test("reads a field that goes on in an indented line", () => {
    const text = "Types: deb\nURIs: http://a.example/debian\n http://b.example/debian\nSuites: stable\nComponents: main\n";
    expect(parseDeb822Sources(text).map(({ uri }) => uri)).toEqual(["http://a.example/debian", "http://b.example/debian"]);
  });
});

describe("debianMirrors", () => {
  test("takes the archive once and neither the security archive nor other vendors", () => {
    const sources = parseOneLineSources(
      [
        "deb http://mirror.example/debian/ stable main",
        "deb http://mirror.example/debian stable-updates main",
        "deb http://mirror.example/debian-security stable-security main",
        "deb http://vendor.example/apt nodistro main",
        "deb http://other.example/debian stable contrib",
      ].join("\n"),
    );
    expect(debianMirrors(sources)).toEqual(["http://mirror.example/debian"]);
  });

  test("finds none on a machine without apt sources", () => {
    expect(debianMirrors([])).toEqual([]);
  });
});

describe("readAptSources", () => {
  test("reads both formats from a folder and ignores other files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dialplane-apt-"));
    try {
      await mkdir(join(folder, "sources.list.d"));
      await writeFile(join(folder, "sources.list"), "deb http://one.example/debian stable main\n");
      await writeFile(join(folder, "sources.list.d", "debian.sources"), DEB822);
      await writeFile(join(folder, "sources.list.d", "old.list.save"), "deb http://no.example/debian stable main\n");
      expect(debianMirrors(await readAptSources(folder))).toEqual(["http://one.example/debian", "http://mirror.example/debian"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("finds nothing in a folder that does not exist", async () => {
    expect(await readAptSources(join(tmpdir(), "dialplane-no-such-folder"))).toEqual([]);
  });
});
