import type pg from "pg";
import type { Revision } from "../../domain/ports.ts";

type Queryable = Pick<pg.ClientBase, "query">;

interface Row {
  readonly value: string;
  readonly mark: string;
}

const NONE: Revision = { revision: 0, mark: "" };

function revisionOf(row: Row | undefined): Revision {
  return row === undefined ? NONE : { revision: Number(row.value), mark: row.mark };
}

export async function readRevision(queryable: Queryable): Promise<Revision> {
  const { rows } = await queryable.query<Row>("select value, mark from revision");
  return revisionOf(rows[0]);
}

/** Whether this database has had that revision, and not another one of the same number. */
export async function hasHad(queryable: Queryable, { revision, mark }: Revision): Promise<boolean> {
  const { rowCount } = await queryable.query("select from revision_mark where value = $1::bigint and mark = $2::uuid", [revision, mark]);
  return rowCount === 1;
}

/** The revision after which all changes are known. */
export async function readOldestKnown(queryable: Queryable): Promise<number> {
  const { rows } = await queryable.query<{ changes_since: string }>("select changes_since from revision");
  return Number(rows[0]?.changes_since ?? 0);
}

/** As long as a router may be without the database and still be told what changed instead of everything. */
const KEPT = "1 hour";

/** The notification is sent when the transaction commits (PostgreSQL, NOTIFY). */
export async function nextRevision(client: Queryable): Promise<Revision> {
  await forgetRemovals(client);
  await forgetMarks(client);
  const { rows } = await client.query<Row>("update revision set value = value + 1 returning value, mark");
  const next = revisionOf(rows[0]);
  await client.query("select pg_notify('dialplane_revision', $1::text)", [String(next.revision)]);
  return next;
}

async function forgetRemovals(client: Queryable): Promise<void> {
  await client.query(
    `with old as (delete from removal where removed_at < now() - $1::interval returning removed_with)
     update revision set changes_since = greatest(changes_since, (select max(removed_with) from old)) where exists (select from old)`,
    [KEPT],
  );
}

/** The last one of before that time was the present one for a part of it. */
async function forgetMarks(client: Queryable): Promise<void> {
  await client.query("delete from revision_mark where value < (select max(value) from revision_mark where made_at < now() - $1::interval)", [KEPT]);
}
