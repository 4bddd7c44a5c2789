import { join } from "node:path";

import { type AsteriskLocation, locateAsterisk } from "../../src/adapters/asterisk-process/locate.ts";
import { type AsteriskSettings, type RunningAsterisk, startAsterisk } from "../../src/adapters/asterisk-process/start.ts";
import { freeTcpPort, loopbackAddress } from "./ports.ts";
import { temporaryFolder } from "./process.ts";

export interface TestAsterisk extends RunningAsterisk, AsyncDisposable {
  /** SIP over UDP and TCP: this address, `sipPort`. */
  readonly sipAddress: string;
  readonly sipPort: number;
  readonly dir: string;
}

let located: Promise<AsteriskLocation> | undefined;

/** The Asterisk of this machine; looked up once. Fails loudly when there is none. */
export function testAsteriskLocation(): Promise<AsteriskLocation> {
  located ??= locateAsterisk(process.env);
  return located;
}

/**
 * A real Asterisk with the product's base configuration on a loopback address and ports of its own.
 * `stop()` (or `await using`) ends it and removes its folder.
 */
export async function startTestAsterisk(settings: Partial<Omit<AsteriskSettings, "location">> = {}): Promise<TestAsterisk> {
  const location = await testAsteriskLocation();
  const folder = await temporaryFolder("asterisk");
  const complete: AsteriskSettings = {
    location,
    dir: join(folder.path, "asterisk"),
    sipAddress: await loopbackAddress(),
    sipPort: 5060,
    httpPort: await freeTcpPort(),
    rtp: { start: 10_000, end: 20_000 },
    ...settings,
  };
  try {
    const running = await startAsterisk(complete);
    const stop = async () => {
      await running.stop();
      await folder.remove();
    };
    return { ...running, stop, sipAddress: complete.sipAddress, sipPort: complete.sipPort, dir: complete.dir, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}
