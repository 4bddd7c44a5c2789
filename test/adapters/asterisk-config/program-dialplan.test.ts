import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { programDialplan, runningRevision } from "../../../src/adapters/asterisk-config/dialplan.ts";
import { missingProbes } from "../../../src/adapters/asterisk-config/probe-dialplan.ts";
import { fallbackContext, poolContext } from "../../../src/domain/asterisk-names.ts";
import { dialplanFile, dialplanHash, dialplanMarker, renderDialplan } from "../../../src/domain/dialplan.ts";
import { dialplanProbes } from "../../../src/domain/dialplan-probes.ts";
import type { AriRest } from "../../../src/domain/ports.ts";
import { aDialplanPool, anAsteriskTrunk, scatteredNumbers } from "../../domain/asterisk-builders.ts";
import { startTestAsterisk, type TestAsterisk } from "../../harness/asterisk.ts";
import { eventually } from "../../harness/process.ts";
import { ariOverHttp } from "./ari-fetch.ts";

let asterisk: TestAsterisk;
let ari: AriRest;
let dir: string;
let file: string;

const SMALL = renderDialplan({ pools: [aDialplanPool("acme/sales", [["+12025550110", "+12025550119"]])], trunks: [anAsteriskTrunk()] });
const OTHER = renderDialplan({ pools: [aDialplanPool("acme/other", [["+12025550120", "+12025550129"]])], trunks: [anAsteriskTrunk()] });

beforeAll(async () => {
  asterisk = await startTestAsterisk();
  ari = ariOverHttp(asterisk.ari);
  dir = asterisk.configDir;
  file = join(dir, "extensions.d/dialplane.conf");
});
afterAll(() => asterisk.stop());

/** What every failure must leave behind: SMALL running, whole and on disk. */
async function expectSmallRuns(): Promise<void> {
  expect(await runningRevision(ari)).toBe(SMALL.hash);
  expect(await missingProbes(ari, dialplanProbes(SMALL.content))).toEqual([]);
  expect(await readFile(file, "utf8")).toBe(dialplanFile(SMALL));
}

/** Damages the file just before Asterisk reads it, as a disk or another writer would. */
function damaging(damage: (content: string) => string): AriRest {
  let done = false;
  return {
    async request(...call) {
      if (!done && call[0] === "PUT" && call[1].endsWith("/pbx_config.so")) {
        done = true;
        await writeFile(file, damage(await readFile(file, "utf8")));
      }
      return ari.request(...call);
    },
  };
}

describe("programDialplan", () => {
  test("a first damaged file is refused and nothing of ours runs", async () => {
    const failed = programDialplan({ dir, ari: damaging((content) => content.slice(0, content.length / 2)), revision: SMALL });
    await expect(failed).rejects.toMatchObject({ code: "Unavailable", message: expect.stringContaining("there was none before") as string });
    expect(await runningRevision(ari)).toBeNull();
  });

  test("makes Asterisk run a revision and proves it", async () => {
    await programDialplan({ dir, ari, revision: SMALL });
    await expectSmallRuns();
  });

  test.each([
    ["cut off in the middle", (content: string) => content.slice(0, content.length / 2)],
    ["with an unclosed section", (content: string) => content.replace("[dialplane-unknown]", "[dialplane-unknown")],
    ["emptied", () => ""],
    ["of another revision", () => dialplanFile(SMALL)],
    ["that lost a context", (content: string) => content.replace(/\[dialplane-end\][^[]*\[A-Z\][^[]*/, "")],
  ])("finds out about a file %s and keeps the last good one", async (_, damage) => {
    const failed = programDialplan({ dir, ari: damaging(damage), revision: OTHER });
    await expect(failed).rejects.toMatchObject({ code: "Unavailable", message: expect.stringContaining("the last good one runs") as string });
    await expectSmallRuns();
  });

  test.each([
    ["a hash of something else", { ...OTHER, hash: SMALL.hash, marker: SMALL.marker }, "content"],
    ["another marker", { ...OTHER, marker: "DIALPLANE_REVISION=1" }, "marker"],
    ["a cut content", cut(OTHER.content), "line"],
    ["garbage", withHash("[dialplane-inbound]\ngarbage\n"), "line 2"],
  ])("refuses %s before it writes anything", async (_, revision, named) => {
    const failed = programDialplan({ dir, ari, revision });
    await expect(failed).rejects.toMatchObject({ code: "InvalidInput", message: expect.stringContaining(named) as string });
    await expectSmallRuns();
  });

  test("names a folder that is not there and a dead Asterisk", async () => {
    await expect(programDialplan({ dir: join(dir, "none"), ari, revision: OTHER })).rejects.toMatchObject({ code: "NotFound" });
    const dead = ariOverHttp({ ...asterisk.ari, url: "http://127.0.0.1:9/ari" });
    await expect(programDialplan({ dir, ari: dead, revision: OTHER })).rejects.toMatchObject({ code: "Unavailable" });
    await expectSmallRuns();
  });

  test("concurrent calls go one after the other: the last one runs, each is verified", async () => {
    const revisions = [OTHER, SMALL, OTHER, SMALL];
    await Promise.all(revisions.map((revision) => programDialplan({ dir, ari, revision })));
    await expectSmallRuns();
  });

  test("loads five pools, a million numbers in a row and 20,000 scattered ones, every probe verified", async () => {
    const pools = [
      aDialplanPool("acme/block", [["+12020000000", "+12020999999"]]),
      aDialplanPool("acme/scattered", scatteredNumbers(20_000)),
      aDialplanPool("acme/uk", [["+442071838750", "+442071838799"]]),
      aDialplanPool("beta/de", ["+4930901820", "+4930901821"]),
      aDialplanPool("beta/short", ["+4930901"]),
    ];
    const revision = renderDialplan({ pools, trunks: [anAsteriskTrunk()] });
    const startedAt = performance.now();
    await programDialplan({ dir, ari, revision });
    process.stdout.write(`20,000 scattered numbers and a million in a row live in ${Math.round(performance.now() - startedAt)} ms\n`);
    const probes = dialplanProbes(revision.content);
    expect(probes.length).toBeGreaterThan(20);
    for (const { key } of pools) {
      expect(probes.map(({ context }) => context)).toEqual(expect.arrayContaining([poolContext(key), fallbackContext(key)]));
    }
    expect(await missingProbes(ari, [...probes, { context: "dialplane-none", exten: "1" }])).toEqual(["dialplane-none,1"]);
    await programDialplan({ dir, ari, revision: SMALL });
    expect(await missingProbes(ari, [{ context: poolContext("acme/uk"), exten: "442071838750" }])).toHaveLength(1);
  });

  test("leaves no channel and no temporary file behind", async () => {
    // A hung-up channel stays in the list until its thread has ended.
    await eventually("no channel is left", async () => ((await ari.request("GET", "/channels")) as unknown[]).length === 0);
    expect((await readdir(join(dir, "extensions.d"))).sort()).toEqual([".dialplane.conf.last-good", "00-empty.conf", "dialplane.conf"]);
  });
});

function withHash(content: string) {
  const hash = dialplanHash(content);
  return { content, hash, marker: dialplanMarker(hash) };
}

function cut(content: string) {
  return withHash(content.slice(0, -10));
}
