import type { Browser } from "playwright-core";
import { ExpectedError, messageOf } from "../src/domain/errors.ts";
import { ConfigError } from "../src/shared/env.ts";
import { terminationSignal } from "../src/shared/shutdown.ts";
import { launchChromium } from "./chromium.ts";
import { readOptions, type DemoOptions } from "./options.ts";
import { isWalked, printer, type Printer } from "./print.ts";
import { claimWalk } from "./walk.ts";
import { startDemoWorld, type DemoWorld } from "./world.ts";

/** Exit codes: 0 all nine steps hold, 1 they don't, 2 the demo could not be started as things are. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  // With --json, stdout has the one line alone.
  const out = printer(options.json ? process.stderr : process.stdout);
  const interrupted = terminationSignal();
  const world = await startDemoWorld(process.env, (text) => out.say(text));
  try {
    const walked = await walk(world, out, options);
    if (options.check) return walked ? 0 : 1;
    stayUp(world, out);
    const reason = await Promise.race([interrupted, world.standalone.broken]);
    if (reason !== null) out.say(reason);
    return walked && reason === null ? 0 : 1;
  } finally {
    await world.stop();
  }
}

async function walk(world: DemoWorld, out: Printer, options: DemoOptions): Promise<boolean> {
  out.say("opening a browser");
  const browser: Browser = await launchChromium();
  try {
    const results = await claimWalk(world, browser, (result) => out.step(result));
    out.verdict(results);
    if (options.json) process.stdout.write(`${JSON.stringify({ ok: isWalked(results), claimWalk: results })}\n`);
    return isWalked(results);
  } finally {
    await browser.close();
  }
}

function stayUp(world: DemoWorld, out: Printer): void {
  out.say("the demo stays up; Ctrl-C ends it");
  const pages = { "the page": "/", resources: "/v1/resources", calls: "/v1/calls", health: "/readyz", metrics: "/metrics" };
  for (const [name, path] of Object.entries(pages)) out.say(`  ${name.padEnd(10)} ${world.url}${path}`);
  out.say('  another call: "Behind the scenes" on the page, "Have somebody call this number"');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof ExpectedError || error instanceof ConfigError;
  process.stderr.write(`demo: ${expected ? error.message : messageOf(error)}\n`);
  if (!expected && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  process.exitCode = expected ? 2 : 1;
}
