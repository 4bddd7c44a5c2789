import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { readFile, symlink } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { z } from "zod";

import { environment as ingress } from "../../src/ingress/config.ts";
import { environment as operator } from "../../src/operator/config.ts";
import { environment as asteriskConfig } from "../../src/router/asterisk-config-command.ts";
import { environment as router } from "../../src/router/config.ts";
import { environment as drain } from "../../src/router/drain-command.ts";
import { describeEnv } from "../../src/shared/env.ts";
import { environment as standalone } from "../../src/standalone/config.ts";
import { environment as migrate } from "../../src/standalone/migrate-command.ts";
import { temporaryFolder } from "../harness/process.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROGRAMS: Readonly<Record<string, z.ZodObject>> = { standalone, operator, router, "asterisk-config": asteriskConfig, drain, ingress, migrate };

const NO_DATABASE = "postgres://u:secret@127.0.0.1:1/db";

function dialplane(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return outcome(process.execPath, [join(ROOT, "src/cli.ts"), ...args], env);
}

async function outcome(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { env: { PATH: process.env["PATH"], ...env } });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  return new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}

describe("dialplane", () => {
  test.each(Object.keys(PROGRAMS))("%s --help says what it reads, and does nothing", async (name) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    for (const help of ["--help", "-h"]) {
      const { code, stdout, stderr } = await dialplane([name, help], { DIALPLANE_HEALTH_PORT: String(port) });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(describeEnv(PROGRAMS[name]!));
    }
    expect(asked).toEqual([]);
    server.close();
  });

  test.each(Object.keys(PROGRAMS))("%s refuses arguments: nobody who mistypes means to run it", async (name) => {
    const { code, stdout, stderr } = await dialplane([name, "--port", "5"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(`dialplane: ${name} takes no arguments, but got "--port": everything comes from the environment (dialplane ${name} --help)\n`);
  });

  test("is its file by a link on the PATH, as in an image, whatever the folder", async () => {
    const folder = await temporaryFolder("bin");
    try {
      await symlink(join(ROOT, "src/cli.ts"), join(folder.path, "dialplane"));
      const { code, stdout } = await outcome(join(folder.path, "dialplane"), ["--help"], { PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) });
      expect([code, stdout]).toEqual([0, expect.stringContaining("usage: dialplane COMMAND")]);
    } finally {
      await folder.remove();
    }
  });

  test.each(["constructor", "__proto__", "sale"])("%s is no command", async (name) => {
    const { code, stderr } = await dialplane([name]);
    expect(code).toBe(2);
    expect(stderr).toContain(`no command "${name}"`);
  });

  test.each(["postgres://dialplane:p#ss@db/dialplane", "postgres://one:5432,two:5432/dialplane", "mysql://db/dialplane"])("a DATABASE_URL that no driver can use is named: %s", async (url) => {
    for (const name of ["operator", "router", "ingress", "migrate", "standalone"]) {
      const { code, stderr } = await dialplane([name], { DATABASE_URL: url });
      expect(code).toBe(2);
      expect(stderr).toContain("DATABASE_URL: must be postgres://user:password@host:port/database with one host");
      expect(stderr).not.toContain("p#ss");
    }
  });

  test.each([["router", "DIALPLANE_HEALTH_PORT"], ["ingress", "DIALPLANE_HTTP_PORT"]])("%s ends, and says by which variable, when its port is taken", async (name, variable) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    const { port } = server.address() as AddressInfo;
    const given = { DIALPLANE_ARI_PASSWORD: "p", DIALPLANE_ARI_URL: "http://127.0.0.1:1/ari", DIALPLANE_TOKEN_KEYS: `1:${"k".repeat(32)}` };
    const { code, stderr } = await dialplane([name], { ...given, DATABASE_URL: NO_DATABASE, [variable]: String(port), DIALPLANE_LOG_LEVEL: "silent" });
    server.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^dialplane: ${variable}: .*${port}.*address already in use.*\\n$`));
  });

  test("migrate without a database says which, and fails without a trace of the inside", async () => {
    const { code, stderr } = await dialplane(["migrate"], { DATABASE_URL: NO_DATABASE });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "dialplane: the database of DATABASE_URL can't be used: connect ECONNREFUSED 127.0.0.1:1\n" });
  });
});

describe("the tables of variables in docs/configuration.md", () => {
  test.each(Object.entries(PROGRAMS))("have every variable of %s, with its default, and no other", async (name, environment) => {
    const text = await readFile(join(ROOT, "docs/configuration.md"), "utf8");
    const table = new RegExp(`^\\| \`${name}\` \\| default \\| meaning \\|\\n((?:\\|.*\\n)+)`, "m").exec(text)?.[1] ?? "";
    const rows = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    const documented = new Map(rows.flatMap(([, names = "", presets = ""]) => {
      const values = presets.split(", ").map((value) => value.replaceAll("`", ""));
      return [...names.matchAll(/`([A-Z0-9_]+)`/g)].map(([, variable = ""], index): [string, string] => [variable, values[index] ?? values[0] ?? ""]);
    }));
    const read = new Map(describeEnv(environment).split("\n").map((line): [string, string] => {
      const [variable = "", preset = ""] = line.trim().split(/\s+/);
      return [variable, preset];
    }));
    expect([...documented.keys()].filter((variable) => variable !== OF_NODE).sort()).toEqual([...read.keys()].sort());
    for (const [variable, preset] of read) {
      if (preset !== "" && !NOT_OF_THE_CODE.includes(variable)) expect(documented.get(variable), `${variable} of ${name}`).toBe(preset);
    }
  });
});

/** Of the machine. */
const NOT_OF_THE_CODE = ["DIALPLANE_POD_NAME", "DIALPLANE_POD"];
const OF_NODE = "NODE_OPTIONS";
