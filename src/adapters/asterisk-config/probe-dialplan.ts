import { randomUUID } from "node:crypto";

import { VERIFY_CONTEXT } from "../../domain/asterisk-names.ts";
import type { DialplanProbe } from "../../domain/dialplan-probes.ts";
import { AriError, type AriRest } from "../../domain/ports.ts";

/** Probes asked over one channel; it lives 10 s at most. */
const BATCH = 1_000;
const CONCURRENCY = 16;

/** Ids of the channels that verification makes for some milliseconds begin with this. */
export const PROBE_CHANNEL_PREFIX = "dialplane-verify-";

/**
 * Asks the running Asterisk for every probe with DIALPLAN_EXISTS(). The function answers only on a channel, hence a Local
 * channel that waits in a context of its own, belongs to no Stasis application and is gone at the end.
 *
 * @returns the probes that do not exist, as `context,exten`
 */
export async function missingProbes(ari: AriRest, probes: readonly DialplanProbe[]): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let start = 0; start < probes.length; start += BATCH) {
    const batch = probes.slice(start, start + BATCH);
    missing.push(...(await onProbeChannel(ari, (channel) => askAll(ari, channel, batch))));
  }
  return missing;
}

async function onProbeChannel<T>(ari: AriRest, use: (channel: string) => Promise<T>): Promise<T> {
  const channel = `${PROBE_CHANNEL_PREFIX}${randomUUID()}`;
  await ari.request("POST", "/channels", {
    endpoint: `Local/s@${VERIFY_CONTEXT}/n`,
    context: VERIFY_CONTEXT,
    extension: "s",
    priority: "1",
    timeout: "10",
    channelId: channel,
  });
  try {
    return await use(channel);
  } finally {
    await ari.request("DELETE", `/channels/${channel}`).catch(ignoreGone);
  }
}

async function askAll(ari: AriRest, channel: string, probes: readonly DialplanProbe[]): Promise<string[]> {
  const waiting = [...probes];
  const missing: string[] = [];
  const worker = async () => {
    for (let probe = waiting.shift(); probe !== undefined; probe = waiting.shift()) {
      const target = `${probe.context},${probe.exten}`;
      const answer = await ari.request("GET", `/channels/${channel}/variable`, { variable: `DIALPLAN_EXISTS(${target},1)` });
      if (valueOf(answer) !== "1") missing.push(target);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return missing.sort();
}

/** The `value` of ARI's Variable model; "" when it is something else. */
export function valueOf(answer: unknown): string {
  const value = typeof answer === "object" && answer !== null && "value" in answer ? answer.value : "";
  return typeof value === "string" ? value : "";
}

/** The channel may have ended by itself. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof AriError) || error.status !== 404) throw error;
}
