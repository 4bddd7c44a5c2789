import type { Condition } from "./api.generated.ts";
import { ConditionReason } from "./conditions.ts";

/** Something about an object that a person should act on. */
export interface Notice {
  readonly reason: string;
  /** What was being done, CamelCase, as Events name it. */
  readonly action: string;
  readonly note: string;
}

/** What will not become right by itself, and what was being done when it was found. Waiting is none of it. */
const ACTIONS: Readonly<Record<string, string>> = {
  [ConditionReason.Invalid]: "Validate",
  [ConditionReason.NumberConflict]: "AssignNumbers",
  [ConditionReason.Unprotected]: "ProtectNumbers",
  [ConditionReason.SourceConflict]: "IdentifyCalls",
  [ConditionReason.RefNotFound]: "ResolveReferences",
  [ConditionReason.RefNotUsable]: "ResolveReferences",
  [ConditionReason.SecretInvalid]: "ResolveReferences",
  [ConditionReason.SecretUnreadable]: "ResolveReferences",
  [ConditionReason.NoMatchingPools]: "ResolveReferences",
  [ConditionReason.ProgrammingFailed]: "ProgramPods",
  [ConditionReason.Unreachable]: "AskCarrier",
};

/** What the conditions say now and did not say before. `Ready` only repeats the others. */
export function noticesOf(before: readonly Condition[], now: readonly Condition[]): readonly Notice[] {
  return now.flatMap(({ type, status, reason, message }) => {
    const action = ACTIONS[reason];
    if (type === "Ready" || status !== "False" || action === undefined) return [];
    const same = before.some((condition) => condition.type === type && condition.reason === reason && condition.message === message);
    return same ? [] : [{ reason, action, note: message }];
  });
}
