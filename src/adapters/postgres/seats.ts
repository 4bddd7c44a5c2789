import type pg from "pg";

import type { SeatRequest } from "../../domain/ports.ts";

/** How long a pod may be silent before its seats are free; it renews them three times as often. */
const LIFETIME = "60 seconds";
/** No call lasts longer. An expired seat counts for nothing, and is its call's again when a pod that was cut off is back. */
const LONGEST_CALL = "1 day";

const TAKE = { name: "take-seat", text: `select take_seat($1::text, $2::text, $3::int, $4::text, $5::int, $6::interval) as reached` };

/** @returns null when the seat was taken, else the limit that was reached */
export async function takeSeat(pool: pg.Pool, seat: SeatRequest): Promise<"destination" | "trunk" | null> {
  const values = [seat.channel, seat.destination, seat.destinationLimit, seat.trunk, seat.trunkLimit, LIFETIME];
  const { rows } = await pool.query<{ reached: "destination" | "trunk" | null }>({ ...TAKE, values });
  return rows[0]?.reached ?? null;
}

/** Renews the seats of living channels, expired ones too, and clears away those whose pod never came back. @returns the channels that have one */
export async function keepSeats(pool: pg.Pool, channels: readonly string[]): Promise<readonly string[]> {
  const { rows } = await pool.query<{ channel: string }>({
    name: "keep-seats",
    text: `with gone as (delete from seat where expires_at < now() - $3::interval and channel <> all($1::text[]))
      update seat set expires_at = now() + $2::interval where channel = any($1::text[]) returning channel`,
    values: [channels, LIFETIME, LONGEST_CALL],
  });
  return rows.map(({ channel }) => channel);
}

/** Gives back what a leg held of limits; nothing happens for a channel without a seat. */
export async function leaveSeat(pool: pg.Pool, channel: string): Promise<void> {
  await pool.query({ name: "leave-seat", text: "delete from seat where channel = $1::text", values: [channel] });
}
