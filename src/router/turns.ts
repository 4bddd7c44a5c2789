import type { Logger, RouterStore, RuleEntry } from "../domain/ports.ts";
import type { InTime } from "./in-time.ts";

/** Counts a call that a RoundRobin rule takes. @returns how many it took before */
export type NextTurn = (rule: RuleEntry, logger: Logger) => Promise<number>;

/** The database counts for all pods. While it does not answer, each pod goes on from the last turn that it knows of. */
export function createTurns(store: Pick<RouterStore, "nextTurn">, inTime: InTime): NextTurn {
  /** By what the rule was when it took its last call: one that is changed or gone is forgotten. */
  const last = new WeakMap<RuleEntry, number>();
  return async (rule, logger) => {
    const counted = await inTime.ask(() => store.nextTurn(rule.uid), logger, "the rule's turn could not be counted");
    const turn = counted ?? (last.get(rule) ?? -1) + 1;
    last.set(rule, turn);
    return turn;
  };
}
