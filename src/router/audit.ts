import { messageOf } from "../domain/errors.ts";
import type { Telephony } from "../adapters/ari/telephony.ts";
import { openChannelIds, youngLegs } from "../domain/call/legs.ts";
import type { Call } from "../domain/call/states.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { repeat } from "../shared/repeat.ts";
import type { Calls } from "./calls.ts";
import { type EmptyBridgesDeps, takeAwayEmpty } from "./empty-bridges.ts";

export interface AuditDeps {
  readonly calls: Pick<Calls, "all" | "find" | "dispatch" | "owns">;
  readonly telephony: Pick<Telephony, "channels" | "ownChannels" | "watch">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connected: () => boolean;
}

export interface Audit {
  /** ARI is back: an application that Asterisk cleans up after a lost socket loses its channels a moment later. */
  soon(): void;
  stop(): void;
}

const LOOK_MS = 20_000;
const SOON_MS = [500, 3_000] as const;
/** A leg that was asked for is in Asterisk's list by then, or refused. */
const LEG_MS = 10_000;

/**
 * Compares live calls with what Asterisk holds, now and then: events tell what changes, and where they don't come somebody would be left alone on
 * the line until the longest call is over. A channel that is missing is gone, one that is not the application's any more is watched again, and a bridge
 * of no call is taken away.
 */
export function startAudit(deps: AuditDeps & EmptyBridgesDeps): Audit {
  let empty: ReadonlySet<string> = new Set();
  const both = () =>
    audit(deps).finally(async () => {
      empty = await takeAwayEmpty(deps, empty);
    });
  const looks = repeat(both, {
    everyMs: LOOK_MS,
    failed: (error) => deps.logger.debug({ error: messageOf(error) }, "live calls could not be compared with Asterisk's channels"),
  });
  return {
    soon: () => SOON_MS.forEach((ms) => setTimeout(() => void looks.now(), ms).unref()),
    stop: () => void looks.stop(),
  };
}

export async function audit({ calls, telephony, clock, logger, connected }: AuditDeps): Promise<void> {
  const before = clock.now().getTime() - LEG_MS;
  const live = calls.all();
  if (!connected() || live.length === 0) return;
  const channels = await telephony.channels(openChannelIds(live));
  // Afterwards: a call that comes in between is the application's before it is ours.
  const own = await telephony.ownChannels();
  const listed = new Map(channels.map(({ id, state }) => [id, { up: state === "Up" }]));
  await watch({ calls, telephony, logger }, unwatched([...listed.keys()], own));
  for (const { id } of live) {
    const call = calls.find(id);
    if (call === undefined || openOf(call, before).every((channel) => listed.has(channel))) continue;
    logger.warn({ call: id, state: call.kind }, "a channel is not there any more, and no event had told so");
    calls.dispatch(id, { type: "Resynced", channels: new Map([...youngLegs(call, new Date(before)), ...listed]), inBridge: null });
  }
}

function unwatched(listed: readonly string[], own: readonly string[]): readonly string[] {
  const watched = new Set(own);
  return listed.filter((id) => !watched.has(id));
}

/** An application that Asterisk had given up and made anew knows nothing of the channels of the old one: of our calls no event would come any more. */
async function watch({ calls, telephony, logger }: Pick<AuditDeps, "calls" | "telephony" | "logger">, channels: readonly string[]): Promise<void> {
  const ours = channels.filter((id) => calls.owns(id));
  if (ours.length === 0) return;
  logger.warn({ channels: ours.length }, "channels of live calls were not the application's any more");
  await Promise.allSettled(ours.map((id) => telephony.watch(id)));
}

/** Channels of the call that have to be in Asterisk's list. */
function openOf({ inbound, legs }: Call, before: number): readonly string[] {
  return [inbound, ...legs.filter(({ startedAt }) => startedAt.getTime() < before)].filter(({ gone }) => !gone).map(({ channel }) => channel);
}
