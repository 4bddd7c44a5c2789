import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { anyFreeTcpPort } from "../../src/adapters/asterisk-process/listen-check.ts";
import type { AsteriskLocation } from "../../src/adapters/asterisk-process/locate.ts";
import { startAsterisk } from "../../src/adapters/asterisk-process/start.ts";
import type { TlsSettings } from "../../src/adapters/asterisk-process/transports.ts";
import { connectAmi } from "./ami-client.ts";
import { type Behaviour, extensionsConfiguration, pjsipConfiguration, PSTN_MODULES } from "./configuration.ts";
import { Network } from "./network.ts";
import { startCapture } from "./sip-capture.ts";
import type { Pstn } from "./types.ts";

export interface PstnSettings {
  readonly location: AsteriskLocation;
  /** Configuration, recordings and captures; created when missing. */
  readonly dir: string;
  /** The carrier's SIP address and port. */
  readonly address?: string;
  readonly port?: number;
  readonly productAddress: string;
  readonly productPort: number;
  /** UDP unless told; over TLS the sound is encrypted as well. */
  readonly transport?: "udp" | "tcp" | "tls";
  /** Needed for TLS. */
  readonly tls?: TlsSettings;
  /** What each number in E.164 does when it is called; any other is answered with 404. */
  readonly destinations: Readonly<Record<string, Behaviour>>;
}

/**
 * Starts the simulated telephone network: a second Asterisk with a configuration of its own.
 *
 * @throws ExpectedError as startAsterisk does
 */
export async function startPstn(settings: PstnSettings): Promise<Pstn> {
  const { address = "127.0.0.2", port = 5060, dir } = settings;
  const recordings = join(dir, "recordings");
  await mkdir(recordings, { recursive: true, mode: 0o700 });
  const asterisk = await startAsterisk({
    location: settings.location,
    dir: join(dir, "asterisk"),
    sipAddress: address,
    sipPort: port,
    ...(settings.tls === undefined ? {} : { tls: settings.tls }),
    httpPort: await anyFreeTcpPort(),
    amiPort: await anyFreeTcpPort(),
    rtp: { start: 30_000, end: 32_000 },
    userAgent: "Simulated PSTN",
    extraModules: PSTN_MODULES,
    files: {
      "pjsip.d/product.conf": pjsipConfiguration({ address: settings.productAddress, port: settings.productPort, transport: settings.transport ?? "udp" }),
      "extensions.d/pstn.conf": extensionsConfiguration(settings.destinations, recordings),
    },
  });
  try {
    const ami = await connectAmi(asterisk.ami);
    const capture = await startCapture(ami, join(dir, "captures"));
    return new Network({ asterisk, ami, capture, recordings, address, port });
  } catch (error) {
    await asterisk.stop();
    throw error;
  }
}
