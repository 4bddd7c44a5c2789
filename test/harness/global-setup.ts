import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { TestProject } from "vitest/node";

import { createLogger } from "../../src/shared/logger.ts";
import { type RunningPostgres, startPostgres } from "../../src/standalone/postgres-process.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** A server on which databases may be made; or why there is none, which only tests that need one should fail by. */
    postgres: { readonly url: string } | { readonly failure: string };
  }
}

const PREFIX = "dialplane-test-postgres-";
/** Nothing here outlives the run; tests of durability start a server of their own. */
const SETTINGS = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

let server: RunningPostgres | undefined;
let folder: string | undefined;

/** One server a run: `DATABASE_URL` where it is set, else the embedded one. */
export async function setup(project: TestProject): Promise<void> {
  const given = process.env["DATABASE_URL"];
  if (given !== undefined && given !== "") {
    project.provide("postgres", { url: given });
    return;
  }
  try {
    await removeLeftovers();
    folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
    server = await startPostgres({ dataDir: folder, logger: createLogger("warn"), settings: SETTINGS });
    project.provide("postgres", { url: server.url });
  } catch (error) {
    await teardown();
    project.provide("postgres", { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

export async function teardown(): Promise<void> {
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** The server of a run that was killed dies with it; its data do not. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0;
    if (!(pid > 0) || existsSync(`/proc/${pid}`)) continue;
    // Another user's leftovers are that user's to remove.
    await rm(join(tmpdir(), name), { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}
