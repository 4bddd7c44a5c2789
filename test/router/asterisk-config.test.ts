import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { asteriskConfigCommand } from "../../src/router/asterisk-config-command.ts";
import { testAsteriskLocation } from "../harness/asterisk.ts";
import { freeTcpPort, loopbackAddress } from "../harness/ports.ts";
import { eventually, startProcess, temporaryFolder } from "../harness/process.ts";

const PASSWORD = "a-password-of-this-test";
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder("asterisk-config")));
afterEach(() => folder.remove());

async function configure(env: NodeJS.ProcessEnv): Promise<string> {
  let output = "";
  expect(await asteriskConfigCommand(env, { stdout: { write: (text) => (output += text) } })).toBe(0);
  return output;
}

async function environmentOfPod(): Promise<Record<string, string>> {
  const { modulesDir, dataDir } = await testAsteriskLocation();
  return {
    DIALPLANE_ASTERISK_DIR: join(folder.path, "asterisk"),
    DIALPLANE_ASTERISK_MODULES_DIR: modulesDir,
    DIALPLANE_ASTERISK_DATA_DIR: dataDir,
    DIALPLANE_ARI_PASSWORD: PASSWORD,
    DIALPLANE_ARI_PORT: String(await freeTcpPort()),
    DIALPLANE_SIP_ADDRESS: await loopbackAddress(),
  };
}

test("Asterisk starts with what the init container wrote, and as it says: the router's password opens ARI, SIP listens, the log goes to stdout", async () => {
  const env = await environmentOfPod();
  const [start = "", forRouter = ""] = (await configure(env)).split("\n");
  expect(forRouter).toBe(`DIALPLANE_ASTERISK_CONFIG_DIR=${env["DIALPLANE_ASTERISK_DIR"]}/etc/dialplane.d`);
  const { command } = await testAsteriskLocation();
  // A pipe, as a container's stdout is: the sockets that Node gives its children can't be opened by name.
  const asterisk = startProcess(["bash", "-c", 'exec "$@" > >(cat)', "bash", ...command, ...start.split(" ").slice(1)]);
  try {
    const ari = createAriHttp({ url: `http://127.0.0.1:${env["DIALPLANE_ARI_PORT"]}/ari`, user: "dialplane", password: PASSWORD });
    await eventually("ARI answers", () => ari.request("GET", "/asterisk/ping").then(() => true, () => false), 30_000);
    const console = async (text: string) => (await promisify(execFile)(command[0], [...command.slice(1), "-C", start.split(" ").at(-1) ?? "", "-rx", text])).stdout;
    await eventually("SIP listens", async () => (await console("pjsip show transports")).includes(`${env["DIALPLANE_SIP_ADDRESS"]}:5060`));
    expect(asterisk.output()).toMatch(/NOTICE\[\d+\] loader\.c: \d+ modules will be loaded/);
  } finally {
    await asterisk.stop();
  }
}, 60_000);

test("what the router has written stays when the pod's containers are started again, and nobody else may read it", async () => {
  const env = await environmentOfPod();
  await configure(env);
  const trunks = join(env["DIALPLANE_ASTERISK_DIR"] ?? "", "etc/dialplane.d/pjsip.d/trunks.conf");
  await writeFile(trunks, "; of the router\n");
  await configure({ ...env, DIALPLANE_SIP_PUBLIC_ADDRESS: "192.0.2.7" });
  expect(await readFile(trunks, "utf8")).toBe("; of the router\n");
  const pjsip = join(env["DIALPLANE_ASTERISK_DIR"] ?? "", "etc/pjsip.conf");
  expect(await readFile(pjsip, "utf8")).toContain("external_media_address = 192.0.2.7");
  expect((await stat(join(env["DIALPLANE_ASTERISK_DIR"] ?? "", "etc/ari.conf"))).mode & 0o077).toBe(0);
});

test("what can't be used is named, all of it at once, and nothing is written", async () => {
  const env = await environmentOfPod();
  const faulty = { ...env, DIALPLANE_ARI_PASSWORD: "short;[x]", DIALPLANE_SIP_ADDRESS: "everywhere", DIALPLANE_ASTERISK_LOG: "log" };
  await expect(configure(faulty)).rejects.toThrow(/DIALPLANE_ASTERISK_LOG: must be an absolute path[^]*DIALPLANE_ARI_PASSWORD: must be 16 to 256[^]*DIALPLANE_SIP_ADDRESS: must be an IPv4 or IPv6 address/);
  const half = { ...env, DIALPLANE_SIP_TLS_KEY: "/tls.key", DIALPLANE_RTP_PORT_START: "30000", DIALPLANE_RTP_PORT_END: "29999" };
  await expect(configure(half)).rejects.toThrow(/DIALPLANE_SIP_TLS_KEY: must be set together[^]*DIALPLANE_RTP_PORT_END: must be greater/);
  await expect(stat(env["DIALPLANE_ASTERISK_DIR"] ?? "")).rejects.toThrow("ENOENT");
});

test("a folder that can't be written is named with its variable", async () => {
  const env = await environmentOfPod();
  await writeFile(join(folder.path, "file"), "");
  const elsewhere = join(folder.path, "file", "asterisk");
  await expect(configure({ ...env, DIALPLANE_ASTERISK_DIR: elsewhere })).rejects.toMatchObject({
    ...{ name: "ExpectedError", field: "DIALPLANE_ASTERISK_DIR" },
    message: `DIALPLANE_ASTERISK_DIR: must be a folder that can be written: ENOTDIR: not a directory, mkdir '${elsewhere}'`,
  });
});
