import { Memo } from "./memo.ts";
import type { Declared, DesiredState, TrunkConfiguration } from "./ports.ts";
import type { AnyResource } from "./resources.ts";
import { dialplanFor } from "./retiring.ts";
import type { ResourceKey } from "./types.ts";
import { Findings } from "./world/findings.ts";
import { PoolJudge } from "./world/pools.ts";
import { RuleJudge } from "./world/rules.ts";
import { TrunkJudge } from "./world/trunks.ts";
import type { PoolVerdict, RuleVerdict, TrunkVerdict } from "./world/verdicts.ts";

/** Everything that follows from what is declared at one moment. */
export interface World {
  readonly desired: DesiredState;
  readonly trunks: TrunkConfiguration;
  readonly verdicts: {
    readonly pools: ReadonlyMap<ResourceKey, PoolVerdict>;
    readonly rules: ReadonlyMap<ResourceKey, RuleVerdict>;
    readonly trunks: ReadonlyMap<ResourceKey, TrunkVerdict>;
  };
}

/**
 * Declared resources in; what Postgres, dialplan and trunks have to be, and a verdict for every object, out. Pure.
 * Order: trunks, then pools (they need trunks), then rules (they need both), then the dialplan of what is in service.
 */
export function compileWorld(declared: Declared): World {
  return new WorldCompiler().compile(declared);
}

/**
 * The same for a world that changes: what follows from unchanged objects alone stays the same object, down to single entries and
 * verdicts, so that nothing of it is validated, rendered, sent or compared again. Every answer is what `compileWorld` would give.
 */
export class WorldCompiler {
  readonly #findings = new Findings();
  readonly #trunks = new TrunkJudge(this.#findings);
  readonly #pools = new PoolJudge(this.#findings);
  readonly #rules = new RuleJudge(this.#findings);
  readonly #dialplan = new Memo<DesiredState["dialplan"]>();

  compile(declared: Declared): World {
    const trunks = this.#trunks.judge(only(declared.resources, "SipTrunk"), declared);
    const pools = this.#pools.judge(only(declared.resources, "NumberPool"), trunks, declared);
    const rules = this.#rules.judge(only(declared.resources, "RoutingRule"), pools, trunks, declared);
    const dialplan = this.#dialplan.value("", [pools.entries, trunks.entries], () => dialplanFor({ pools: pools.entries, trunks: trunks.entries }));
    const suspended = [...pools.suspended, ...(declared.unreadable ?? []).map(({ uid }) => uid)];
    for (const each of [this.#trunks, this.#pools, this.#rules, this.#dialplan]) each.nextRound();
    return {
      desired: { pools: pools.entries, rules: rules.entries, trunks: trunks.entries, dialplan, suspended, leaving: declared.leaving ?? [] },
      trunks: trunks.configuration,
      verdicts: { pools: pools.verdicts, rules: rules.verdicts, trunks: trunks.verdicts },
    };
  }
}

function only<K extends AnyResource["kind"]>(resources: readonly AnyResource[], kind: K): Extract<AnyResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<AnyResource, { kind: K }> => resource.kind === kind);
}
