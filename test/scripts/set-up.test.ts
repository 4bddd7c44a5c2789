import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NODE_MODULES_BIN } from "../../scripts/lib/paths.mjs";
import { setUp } from "../../scripts/lib/set-up.mjs";
import { runScript } from "./command.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-set-up-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A machine on which nothing is installed and nothing is cached. */
const bareMachine = (): Record<string, string> => ({ PATH: join(folder, "empty"), DIALPLANE_CACHE_DIR: join(folder, "cache") });

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("setup.mjs", () => {
  const cases: Record<string, [string[], Record<string, string>, RegExp[]]> = {
    "an unknown part": [["asterix"], {}, [/Unknown part: asterix/, /npm, asterisk, postgres, sipp, chromium/]],
    "no apt to fetch Asterisk with": [["asterisk"], {}, [/Asterisk cannot be fetched/, /not on PATH: apt-get/, /set ASTERISK_ROOT/]],
    "no apt to install SIPp with": [["sipp"], {}, [/sip-tester cannot be installed/, /apt-get is not on PATH/, /set SIPP_PATH/]],
    "an ASTERISK_ROOT without Asterisk": [
      ["asterisk"],
      { ASTERISK_ROOT: "/nowhere" },
      [/ASTERISK_ROOT=\/nowhere cannot be used/, /usr\/sbin\/asterisk/, /unset ASTERISK_ROOT/],
    ],
    "a SIPP_PATH that is no program": [["sipp"], { SIPP_PATH: "/nowhere/sipp" }, [/SIPP_PATH=\/nowhere\/sipp cannot be used/]],
    "KUBEBUILDER_ASSETS without an API server": [
      ["control-plane"],
      { KUBEBUILDER_ASSETS: "/nowhere" },
      [/KUBEBUILDER_ASSETS=\/nowhere cannot be used/, /missing in it: kube-apiserver, etcd, kubectl/],
    ],
    "a DATABASE_URL of another kind": [["postgres"], { DATABASE_URL: "mysql://h/db" }, [/DATABASE_URL cannot be used/, /postgres:\/\//]],
  };
  test.each(Object.entries(cases))("ends with code 2 and a clear message for %s", async (_name, [parts, extra, messages]) => {
    const { code, stderr } = await runScript("setup.mjs", parts, { ...bareMachine(), ...extra });
    expect(code).toBe(2);
    for (const message of [/why: /, /what to do: /, ...messages]) expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test("does not print the password of a DATABASE_URL that does not answer", async () => {
    const url = `postgres://someone:s3cret@127.0.0.1:${await closedPort()}/numbers`;
    const { code, stderr } = await runScript("setup.mjs", ["postgres"], { ...bareMachine(), DATABASE_URL: url });
    expect(code).toBe(2);
    expect(stderr).toMatch(/ECONNREFUSED/);
    expect(stderr).not.toContain("s3cret");
  });

  test("says which archive did not answer and leaves no half-made Asterisk", async () => {
    const mirror = `http://127.0.0.1:${await closedPort()}/debian`;
    const env = { ...bareMachine(), PATH: "/usr/bin:/bin", DEBIAN_MIRROR: mirror };
    const { code, stderr } = await runScript("setup.mjs", ["asterisk"], env);
    expect(stderr).toContain(`${mirror} testing`);
    expect(code).toBe(2);
    expect(await readdir(join(folder, "cache", "asterisk"))).toEqual(["apt"]);
    expect(existsSync(join(folder, "cache", "set-up.lock"))).toBe(false);
  });
});

describe("doctor.mjs", () => {
  test("names what is missing, how to get it, installs nothing and ends with code 1", async () => {
    const { code, stdout } = await runScript("doctor.mjs", [], bareMachine());
    expect(code).toBe(1);
    expect(stdout).toMatch(/^part +state +where found +version +how to get it/);
    expect(stdout).toMatch(/^Asterisk +missing .*ASTERISK_ROOT/m);
    expect(stdout).toMatch(/^SIPp +missing .*apt-get install .*sip-tester/m);
    expect(stdout).toMatch(/^Chromium +missing .*CHROMIUM_PATH/m);
    expect(stdout).toMatch(/^Kubernetes API +missing .*Go .*KUBEBUILDER_ASSETS/m);
    expect(stdout).toMatch(/^Node 24 +ok .* 24\./m);
    expect(existsSync(join(folder, "cache"))).toBe(false);
  });

  test("shows why a part that was chosen by a variable cannot be used", async () => {
    const { code, stdout } = await runScript("doctor.mjs", [], { ...bareMachine(), CHROMIUM_PATH: "/nowhere" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Chromium +broken .*CHROMIUM_PATH=\/nowhere cannot be used; why: it is no executable file/m);
  });
});

describe("setUp", () => {
  test("gives children the parts asked for and Node 24 first on PATH", async () => {
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "sipp"), "#!/bin/sh\necho ' SIPp v3.7.0-TLS.'\nexit 99\n", { mode: 0o755 });
    const env = await setUp(["npm", "sipp"], { ...bareMachine(), PATH: bin });
    expect(env["SIPP_PATH"]).toBe(join(bin, "sipp"));
    expect(env["PATH"]).toBe([NODE_MODULES_BIN, bin].join(delimiter));
    expect(env["ASTERISK_ROOT"]).toBeUndefined();
  });

  test("passes over an Asterisk on PATH that is too old", async () => {
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "asterisk"), "#!/bin/sh\necho 'Asterisk 20.6.0~dfsg'\n", { mode: 0o755 });
    await expect(setUp(["asterisk"], { ...bareMachine(), PATH: bin })).rejects.toThrow(/Asterisk cannot be fetched/);
  });

  test("takes an Asterisk on PATH that is new enough", async () => {
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "asterisk"), "#!/bin/sh\necho 'Asterisk 22.10.0'\n", { mode: 0o755 });
    const env = await setUp(["asterisk"], { ...bareMachine(), PATH: bin });
    expect(env["ASTERISK_ROOT"]).toBeUndefined();
  });
});
