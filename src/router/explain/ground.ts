import type { ShownTo } from "../../domain/explain.ts";
import type { CallContext, E164, ResourceKey, Uuid } from "../../domain/types.ts";
import type { RoutingTable } from "../../domain/routing-table.ts";

/** What a call is explained on: what is declared, and what is known of callers. */
export interface Ground {
  readonly table: RoutingTable;
  poolOf(did: E164): Promise<ResourceKey | null>;
  known(question: { readonly did: E164; readonly pool: ResourceKey; readonly caller: E164 | null; readonly at: Date }): Promise<CallContext>;
  /** How many calls each RoundRobin rule of the pool has taken. */
  turns(pool: ResourceKey): Promise<Readonly<Record<ResourceKey, number>>>;
  /** null: nobody can be asked. */
  shownTo(did: E164, visitor: Uuid): Promise<ShownTo | null>;
  /** What is declared and has no say in the calls of this pool, or not all of it: one line each. */
  notInForce(pool: ResourceKey): readonly string[];
  close(): Promise<void>;
}
