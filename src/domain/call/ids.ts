/** Bridges and outbound channels carry the call's id, so that a restarted router can tell what belongs together. */
const PREFIX = "dialplane-";
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const BRIDGE = new RegExp(`^${PREFIX}(${UUID})$`);
const LEG = new RegExp(`^${PREFIX}(${UUID})\\.([0-9]{1,4})$`);

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
