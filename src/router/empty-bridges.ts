import type { Telephony } from "../adapters/ari/telephony.ts";
import { callOfBridge } from "../domain/call/ids.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import type { Calls } from "./calls.ts";

export interface EmptyBridgesDeps {
  readonly calls: Pick<Calls, "all">;
  readonly telephony: Pick<Telephony, "bridges" | "destroyBridge">;
  readonly logger: Logger;
  readonly connected: () => boolean;
}

/**
 * Takes away bridges of calls that are over and in which nobody is: a request that a broken network held up is carried out when its call, and the request
 * to take the bridge away again, have long been given up.
 *
 * @param before those that were so at the look before: only those are taken away, since the call of a new one may be about to be adopted
 * @returns those that are so now
 */
export async function takeAwayEmpty({ calls, telephony, logger, connected }: EmptyBridgesDeps, before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  if (!connected()) return before;
  try {
    const bridges = await telephony.bridges();
    const live = new Set(calls.all().map(({ bridge }) => bridge));
    const empty = bridges.filter(({ id, channels }) => channels.length === 0 && callOfBridge(id) !== undefined && !live.has(id)).map(({ id }) => id);
    const old = empty.filter((id) => before.has(id));
    if (old.length > 0) logger.warn({ bridges: old.length }, "bridges were left without a call");
    await Promise.allSettled(old.map((id) => telephony.destroyBridge(id)));
    return new Set(empty);
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "bridges could not be looked at");
    return before;
  }
}
