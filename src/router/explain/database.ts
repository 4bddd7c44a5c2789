import { readCallContext } from "../../adapters/postgres/call-context.ts";
import { connect } from "../../adapters/postgres/connect.ts";
import { readPoolOf, readShownTo } from "../../adapters/postgres/explain-number.ts";
import { presentVersion, releasedVersion } from "../../adapters/postgres/migrate.ts";
import { readSnapshot } from "../../adapters/postgres/snapshot.ts";
import { readTurns } from "../../adapters/postgres/turns.ts";
import { ExpectedError } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { RoutingIndex } from "../../domain/routing-table.ts";
import type { Ground } from "./ground.ts";

/** What routers route by now, and what they would find out about the caller. */
export async function databaseGround(url: string, logger: Logger): Promise<Ground> {
  const pool = connect(url, logger, { max: 2, statementTimeoutMilliseconds: 10_000, applicationName: "dialplane-explain" });
  try {
    const [present, needed] = [await presentVersion(pool), await releasedVersion()];
    if (present < needed) throw new ExpectedError("Unavailable", `it has schema ${present}, this release needs ${needed}: run dialplane migrate`, { field: "DATABASE_URL" });
    const { table } = new RoutingIndex(await readSnapshot(pool));
    return {
      table,
      poolOf: (did) => readPoolOf(pool, did),
      known: (question) => readCallContext(pool, question),
      turns: (of) => readTurns(pool, of),
      shownTo: (did, visitor) => readShownTo(pool, did, visitor),
      notInForce: () => [],
      close: () => pool.end(),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}
