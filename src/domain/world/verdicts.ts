import type { Ownership } from "../ownership.ts";
import type { SecretFault } from "../ports.ts";
import type { SourceConflict } from "../sources.ts";
import type { ResourceKey } from "../types.ts";

/** What an object names and can't have, as kind and key ("SipTrunk default/carrier"), by the reason. */
export interface Lacks {
  readonly missing: readonly string[];
  /** Declared, and can't be used. */
  readonly unusable: readonly string[];
  /** Being deleted. */
  readonly terminating: readonly string[];
}

/** What was found about one object. What speaks against it is said in its conditions; it never blocks another object. */
export interface Verdict extends Lacks {
  readonly problems: readonly string[];
  /** What its author should know, each naming its field. Nothing of it keeps the object from being used. */
  readonly warnings: readonly string[];
}
/** One object from when a trunk comes into service until it leaves it, whatever changes of it meanwhile. */
export interface TrunkPresence {
  readonly key: ResourceKey;
}
export interface PoolVerdict extends Verdict {
  /** Those that it names and that can be used. */
  readonly trunks: readonly TrunkPresence[];
  readonly ownership: Ownership;
  /** Its numbers are handed out and its calls are routed. */
  readonly inService: boolean;
}
export interface TrunkVerdict extends Verdict {
  readonly presence: TrunkPresence;
  /** What is wrong with the Secret that it names, and what is done meanwhile; null: nothing. The trunk is in service all the same. */
  readonly secret: SecretFault | null;
  /** Trunks whose calls can't be told from this one's, and are treated otherwise. Both are in service all the same. */
  readonly sources: readonly SourceConflict[];
}
export interface RuleVerdict extends Verdict {
  /** Those that it names and that can be used. */
  readonly trunks: readonly TrunkPresence[];
  readonly pools: readonly { readonly key: ResourceKey; readonly accepted: boolean; readonly inService: boolean }[];
}
