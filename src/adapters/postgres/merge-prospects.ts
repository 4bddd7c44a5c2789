import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";

/**
 * The prospect that was known first survives. Where both hold a number of one pool, the older live lease is the one shown and
 * renewed from now on; the other is superseded: it points to the survivor until it ends. The caller holds the locks of both.
 */
export async function mergeProspects(client: pg.PoolClient, a: Uuid, b: Uuid): Promise<Uuid> {
  const { rows } = await client.query<{ id: Uuid }>("select id from prospect where id = any ($1::uuid[]) order by created_at, id", [[a, b]]);
  const survivor = rows[0]?.id ?? a;
  const other = survivor === a ? b : a;
  const both = [survivor, other];
  await client.query(SUPERSEDE, both);
  await client.query("update number set prospect_id = $1::uuid where prospect_id = $2::uuid", both);
  await client.query("update device set prospect_id = $1::uuid where prospect_id = $2::uuid", both);
  await client.query("update association set prospect_id = $1::uuid where prospect_id = $2::uuid", both);
  await client.query("update call set prospect_id = $1::uuid where prospect_id = $2::uuid", both);
  await client.query("update person set prospect_id = $1::uuid where prospect_id = $2::uuid", both);
  await client.query("update prospect set merged_into = $1::uuid where id = $2::uuid or merged_into = $2::uuid", both);
  return survivor;
}

/** Of leases that live the oldest counts, else the number given back last. A number that somebody else got meanwhile is left alone. */
const SUPERSEDE = `with ranked as (
    select did, row_number() over (
      partition by pool_uid
      order by
        (leased_until > clock_timestamp()) desc,
        case when leased_until > clock_timestamp() then leased_from end,
        case when leased_until <= clock_timestamp() then leased_until end desc,
        did
    ) as place
    from number
    where prospect_id in ($1::uuid, $2::uuid) and in_service and not superseded
  )
  update number n set superseded = true
  from ranked r
  where r.did = n.did and r.place > 1 and n.prospect_id in ($1::uuid, $2::uuid)`;
