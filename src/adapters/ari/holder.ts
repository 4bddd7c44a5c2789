import type { AriRest } from "../../domain/ports.ts";
import { pause } from "../../shared/backoff.ts";
import { asObject, asString } from "./json.ts";

/** A global variable of Asterisk that whoever holds the application keeps changing. */
const VARIABLE = "DIALPLANE_ROUTER_BEAT";
export const BEAT_MS = 2_000;
const LOOK_MS = 1_000;
const LAPSED_MS = 3 * BEAT_MS;

export async function beat(ari: AriRest): Promise<void> {
  await ari.request("POST", "/asterisk/variable", { variable: VARIABLE, value: String(Date.now()) });
}

/**
 * Resolves when the router that took the application over has not been heard of for 6 s. Only changes count, so that clocks
 * need not agree, and neither does a dialplan reload, which clears global variables, look like an end.
 *
 * @param ari over HTTP: there is no socket now
 */
export async function holderGone(ari: AriRest, signal: AbortSignal): Promise<void> {
  let last = "";
  let changedAt = performance.now();
  while (!signal.aborted && performance.now() - changedAt < LAPSED_MS) {
    await pause(LOOK_MS, signal);
    const now = await read(ari);
    if (now !== last && now !== "") {
      last = now;
      changedAt = performance.now();
    }
  }
}

async function read(ari: AriRest): Promise<string> {
  try {
    return asString(asObject(await ari.request("GET", "/asterisk/variable", { variable: VARIABLE }))["value"]);
  } catch {
    return "";
  }
}
