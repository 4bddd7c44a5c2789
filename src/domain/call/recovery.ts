import { bridgeId, callOfBridge, callOfLeg } from "./ids.ts";

/** A channel that is in our application, or was dialled for it. */
export interface HeldChannel {
  readonly id: string;
  readonly up: boolean;
  /** The call that a caller's channel is, by `callId`; null for a leg, whose own id tells. */
  readonly call: string | null;
}

export interface HeldBridge {
  readonly id: string;
  readonly channels: readonly string[];
}

/** What to do with what an earlier router left in Asterisk. */
export type RecoveryAction =
  /** Two parties talk: they go on, and when one hangs up the other is hung up. */
  | { readonly type: "adopt"; readonly call: string; readonly bridge: string; readonly inbound: string; readonly leg: string }
  /** Somebody answered and was not connected any more: the two are put together. `answered`: the caller was answered already. */
  | { readonly type: "connect"; readonly call: string; readonly bridge: string; readonly inbound: string; readonly leg: string; readonly answered: boolean }
  /** A caller hears ringing and nobody cares: the dialplan's default destination takes over. */
  | { readonly type: "handBack"; readonly channel: string; readonly call: string | null }
  /** The other party is gone, or the caller for whom it rang. */
  | { readonly type: "hangUp"; readonly channel: string }
  | { readonly type: "destroyBridge"; readonly bridge: string };

/**
 * Decides about every channel and bridge that belongs to no call of this process.
 * Channels first, their bridges last: a bridge deleted together with a hang-up would overwrite the cause.
 *
 * @param channels all channels of our application that no live call of this process owns
 * @param bridges all such bridges with our name
 */
export function planRecovery(channels: readonly HeldChannel[], bridges: readonly HeldBridge[]): readonly RecoveryAction[] {
  const held = new Map(channels.map((channel) => [channel.id, channel]));
  const talking = bridges.flatMap((bridge) => adoption(bridge, held));
  const adopted = [...talking, ...connections(channels, new Set(talking.map(({ call }) => call)))];
  const kept = new Set(adopted.flatMap(({ bridge, inbound, leg }) => [bridge, inbound, leg]));
  const orphans = channels.filter(({ id }) => !kept.has(id)).map(orphan);
  const empty = bridges.filter(({ id }) => !kept.has(id)).map(({ id }): RecoveryAction => ({ type: "destroyBridge", bridge: id }));
  return [...adopted, ...orphans, ...empty];
}

/** The first leg that answered, for a caller who is still there. */
function connections(channels: readonly HeldChannel[], settled: ReadonlySet<string>): readonly Extract<RecoveryAction, { type: "connect" }>[] {
  const answered = new Map<string, string>();
  for (const { id, up } of channels) {
    const call = callOfLeg(id);
    if (up && call !== undefined && !answered.has(call)) answered.set(call, id);
  }
  return channels.flatMap(({ id, call, up }) => {
    if (call === null || settled.has(call)) return [];
    const leg = answered.get(call);
    return leg === undefined ? [] : [{ type: "connect", call, bridge: bridgeId(call), inbound: id, leg, answered: up }];
  });
}

function adoption(bridge: HeldBridge, held: ReadonlyMap<string, HeldChannel>): readonly Extract<RecoveryAction, { type: "adopt" }>[] {
  const call = callOfBridge(bridge.id);
  const up = bridge.channels.filter((id) => held.get(id)?.up === true);
  const leg = up.find((id) => call !== undefined && callOfLeg(id) === call);
  const inbound = up.find((id) => callOfLeg(id) === undefined);
  return call === undefined || leg === undefined || inbound === undefined ? [] : [{ type: "adopt", call, bridge: bridge.id, inbound, leg }];
}

/** An answered caller without a party was talking to somebody who is gone: ringing somebody else now would be a surprise. */
function orphan({ id, up, call }: HeldChannel): RecoveryAction {
  return callOfLeg(id) === undefined && !up ? { type: "handBack", channel: id, call } : { type: "hangUp", channel: id };
}
