import type pg from "pg";
import type { ResourceKey } from "../../domain/types.ts";

/**
 * Counts a call that a RoundRobin rule takes. The commit does not wait for the disk, which would hold the caller up, and with the row's lock
 * everybody whom the same rule takes: when the server crashes, the rule begins anew.
 *
 * @param rule its uid
 * @returns how many calls it took before; null when there is no such rule
 */
export async function nextTurn(pool: pg.Pool, rule: string): Promise<number | null> {
  const { rows } = await pool.query<{ before: string }>({ name: "next-turn", text: COUNTED, values: [rule] });
  return rows[0] === undefined ? null : Number(rows[0].before);
}

const COUNTED = `
  insert into rule_turn as t (rule_uid, calls)
  select uid, 1 from rule where uid = $1
  on conflict (rule_uid) do update set calls = t.calls + 1
  returning calls - 1 as before, set_config('synchronous_commit', 'off', true)`;

/** How many calls the rules of a pool have taken, of those that count. Nothing is written: the right to read is enough. */
export async function readTurns(pool: pg.Pool, of: ResourceKey): Promise<Readonly<Record<ResourceKey, number>>> {
  const { rows } = await pool.query<{ key: ResourceKey; calls: string }>("select r.key, t.calls from rule r join rule_turn t on t.rule_uid = r.uid where $1 = any(r.pools)", [of]);
  return Object.fromEntries(rows.map(({ key, calls }) => [key, Number(calls)]));
}
