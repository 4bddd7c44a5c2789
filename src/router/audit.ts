import { messageOf } from "../domain/errors.ts";
import type { Telephony } from "../adapters/ari/telephony.ts";
import type { Call } from "../domain/call/states.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import type { Calls } from "./calls.ts";

export interface AuditDeps {
  readonly calls: Pick<Calls, "all" | "find" | "happen">;
  readonly telephony: Pick<Telephony, "channels">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connected: () => boolean;
}

const LOOK_MS = 20_000;
/** A leg that was asked for is in Asterisk's list by then, or refused. */
const LEG_MS = 10_000;

/**
 * Compares live calls with what Asterisk holds, now and then: events tell what changes, and one that was lost would leave somebody alone on the
 * line until the longest call is over. A channel that is missing is gone.
 */
export function startAudit(deps: AuditDeps, lookMs = LOOK_MS): { stop(): void } {
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= audit(deps).finally(() => (looking = undefined));
  }, lookMs).unref();
  return { stop: () => clearInterval(timer) };
}

export async function audit({ calls, telephony, clock, logger, connected }: AuditDeps): Promise<void> {
  const before = clock.now().getTime() - LEG_MS;
  const open = calls.all().flatMap((call) => openOf(call, before).map((channel) => ({ call: call.id, channel })));
  if (!connected() || open.length === 0) return;
  try {
    const listed = new Set((await telephony.channels()).map(({ id }) => id));
    for (const { call, channel } of open) {
      const now = calls.find(call);
      if (listed.has(channel) || now === undefined || !openOf(now, before).includes(channel)) continue;
      logger.warn({ call, channel }, "a channel is not there any more, and no event had told so");
      calls.happen(call, { type: "ChannelGone", channel, cause: null, sipStatus: null });
    }
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "live calls could not be compared with Asterisk's channels");
  }
}

function openOf({ inbound, legs }: Call, before: number): readonly string[] {
  return [inbound, ...legs.filter(({ startedAt }) => startedAt.getTime() < before)].filter(({ gone }) => !gone).map(({ channel }) => channel);
}
