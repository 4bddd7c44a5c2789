import type pg from "pg";
import { z } from "zod";
import { E164_FORM } from "../../domain/e164.ts";
import type { DevicePush, Logger, PushBus } from "../../domain/ports.ts";
import type { E164 } from "../../domain/types.ts";
import { listen } from "./listener.ts";

const payload = z.object({
  device: z.uuid(),
  pool: z.string(),
  mediaElement: z.string(),
  did: z.string().regex(E164_FORM).transform((did) => did as E164).nullable(),
  lentBy: z.string().optional(),
  leasedUntil: z.iso.datetime().transform((at) => new Date(at)).nullable(),
  determinedAt: z.iso.datetime().transform((at) => new Date(at)).optional(),
});

/** A payload must be shorter than 8,000 bytes (PostgreSQL, NOTIFY). */
const MAX_PAYLOAD_BYTES = 7_999;

/** Pushes travel to all replicas as notifications, one each. */
export function pushBus(pool: pg.Pool, url: string, logger: Logger): PushBus {
  return {
    publish: async (pushes) => {
      const payloads = pushes.map((push) => JSON.stringify(push));
      const fitting = payloads.filter((text) => Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES);
      if (fitting.length < payloads.length) logger.warn({ dropped: payloads.length - fitting.length }, "dropped pushes that are too long");
      if (fitting.length > 0) await pool.query("select pg_notify('dialplane_push', p) from unnest($1::text[]) as p", [fitting]);
    },
    subscribe: (listener) =>
      listen({
        url,
        channel: "dialplane_push",
        logger,
        onNotification: (text) => {
          const push = parse(text);
          if (push !== null) listener(push);
          else logger.warn({}, "dropped a push that is out of format");
        },
      }),
  };
}

/** Whoever may connect to the database may notify: what comes is parsed like anything from outside. */
function parse(text: string): DevicePush | null {
  try {
    return payload.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
