import type { AriLane } from "../adapters/ari/client.ts";
import { createTelephony, type Telephony } from "../adapters/ari/telephony.ts";

/** So far behind with the calls of a lane, Asterisk is given no more of them: callers wait some of these before they hear anybody. */
const BEHIND_MS = 1_000;

export interface CallLanes {
  /** What a call asks for goes here, all of it, in order. @param inbound the caller's channel */
  of(inbound: string): Telephony;
  /** False while calls that would go the same way wait too long. */
  keepsUp(inbound: string): boolean;
}

/** Spreads calls over the lanes to Asterisk, by the caller's channel: a lane that waits for the thread of one channel holds up few other calls. */
export function createCallLanes(lanes: readonly AriLane[], app: string): CallLanes {
  const all = lanes.map((lane) => ({ lane, telephony: createTelephony(lane, app) }));
  const place = (inbound: string) => {
    const found = all[checksum(inbound) % all.length];
    if (found === undefined) throw new Error("there is no lane to Asterisk");
    return found;
  };
  return {
    of: (inbound) => place(inbound).telephony,
    keepsUp: (inbound) => place(inbound).lane.behindMs < BEHIND_MS,
  };
}

/** FNV-1a, 32 bits: channels' ids differ in the last digits. */
function checksum(text: string): number {
  let sum = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193);
  return sum >>> 0;
}
