import { uuidOf } from "../uuid.ts";

/** Bridges and outbound channels carry the call's id, so that a restarted router can tell what belongs together. */
const PREFIX = "dialplane-";
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const BRIDGE = new RegExp(`^${PREFIX}(${UUID})$`);
const LEG = new RegExp(`^${PREFIX}(${UUID})\\.([0-9]{1,4})$`);

/** A channel in Asterisk: its id is the second of its making and a count, which begins anew with every start and in every Asterisk. */
export interface ChannelIdentity {
  readonly id: string;
  /** SIP's Call-ID: hostile text, of any length. */
  readonly protocolId: string;
}

/**
 * The same for every router that sees the channel, now or after a crash, whatever its pod is called, and for the dialplan: a record is
 * never written twice, and what belongs together is found again.
 */
export function callId({ id, protocolId }: ChannelIdentity): string {
  return uuidOf([id, protocolId]);
}

export function bridgeId(call: string): string {
  return `${PREFIX}${call}`;
}

/** @param index 0 for the first leg of the call */
export function legId(call: string, index: number): string {
  return `${PREFIX}${call}.${index}`;
}

/** @returns the call's id, undefined for a bridge of somebody else */
export function callOfBridge(bridge: string): string | undefined {
  return BRIDGE.exec(bridge)?.[1];
}

/** @returns the call's id, undefined for a channel that is no leg of ours */
export function callOfLeg(channel: string): string | undefined {
  return LEG.exec(channel)?.[1];
}
