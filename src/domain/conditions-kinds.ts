import type { Condition, ReachabilityState, RegistrationState, RoutingRulePoolStatus } from "./api.generated.ts";
import { ConditionReason, ConditionType, setConditions, summarise, type Finding } from "./conditions.ts";
import { conflictMessage, type Ownership } from "./ownership.ts";
import type { SecretFault } from "./ports.ts";
import { count } from "./ranges.ts";
import { nameOf } from "./seniority.ts";
import { sourceMessage, type SourceConflict } from "./sources.ts";
import type { ResourceKey } from "./types.ts";
import type { Lacks } from "./world/verdicts.ts";

/** What each kind's conditions follow from: plain facts in, the whole list out. Each check is a ladder; its first rung that holds decides. */

/** How far the object has come into the pods. */
export interface Programming {
  /** Content hash of the revision that holds the present specification; null before there is one. */
  readonly revision: string | null;
  readonly readyPods: number;
  readonly pods: number;
  /** What a pod said when it could not load it, with its name. */
  readonly error: string | null;
  /** Names of the pods that do not run it. */
  readonly behind?: readonly string[];
  /** Of a pool or a rule: some of them have all of it but the trunks that it names. */
  readonly withTrunks?: boolean;
}

interface CommonFacts extends Lacks {
  readonly generation: number;
  readonly now: Date;
  readonly previous: readonly Condition[];
  /** What domain validation found, each naming its field; empty if nothing. */
  readonly problems: readonly string[];
  /** What the author should know, each naming its field. */
  readonly warnings: readonly string[];
  readonly programming: Programming;
}

export interface PoolFacts extends CommonFacts {
  readonly ownership: Ownership;
  /** Numbers that were taken out of the pool and are still promised to somebody. */
  readonly retiring?: number;
}

export interface RuleFacts extends CommonFacts {
  /** Pools that `poolRefs` or `poolSelector` found. */
  readonly pools: readonly { readonly key: ResourceKey; readonly accepted: boolean; readonly inService: boolean }[];
}

export interface TrunkFacts extends CommonFacts {
  /** What is wrong with the Secret that it names, and what is done meanwhile. */
  readonly secret: SecretFault | null;
  /** Trunks whose calls can't be told from this one's, and are treated otherwise. */
  readonly sources: readonly SourceConflict[];
  /** As the pods see it; empty if none reported. */
  readonly reachability: readonly ReachabilityState[];
  /** Likewise; null for a trunk that does not register. */
  readonly registrations: readonly RegistrationState[] | null;
}

export function poolConditions(facts: PoolFacts): readonly Condition[] {
  const conflict = conflictMessage(facts.ownership);
  const accepted = acceptance(facts, conflict === null ? null : refusal(ConditionReason.NumberConflict, conflict));
  const refs = resolution(facts);
  const findings = [accepted, refs, programming(facts, facts.problems.length === 0)];
  return finish(facts, findings, `${count(facts.ownership.owned)} numbers are in service${retirement(facts.retiring ?? 0)}`);
}

/** What is enough to say of an object that takes no part. */
export type IdleFacts = Pick<CommonFacts, "generation" | "previous" | "now">;

/** Of an object that was stored under another schema: nothing of it is taken. */
export function unreadableConditions(facts: IdleFacts & Pick<CommonFacts, "problems">): readonly Condition[] {
  return finish(facts, [acceptance({ ...facts, warnings: [] }, null), unprogrammed(ConditionReason.NotAccepted, NOT_VALID)], "");
}

/** Of a pool that is out of service because its finalizer can't be written. @param refused the API server's words */
export function unprotectedConditions(facts: IdleFacts, finalizer: string, refused: string): readonly Condition[] {
  const message = `out of service until the finalizer ${finalizer} can be put on it: ${refused}`;
  return finish(facts, [refusal(ConditionReason.Unprotected, message), unprogrammed(ConditionReason.NotAccepted, "not sent to the pods: its numbers are not guarded")], "");
}

/** What an object that is being deleted waits for. */
export interface Departure {
  /** What the operator does before it lets go; null when it is done. */
  readonly ours: string | null;
  /** Finalizers of others. */
  readonly others: readonly string[];
}

/** What was found about its specification stays as it was said last: nobody looks at it any more. */
export function terminatingConditions(facts: IdleFacts, { ours, others }: Departure): readonly Condition[] {
  const whoever = others.map((finalizer) => `whoever set the finalizer ${finalizer} to take it off`);
  const awaited = [...(ours === null ? [] : [`the operator to ${ours}`]), ...whoever.slice(0, MOST_NAMES)];
  const message = `being deleted${awaited.length === 0 ? "" : `; waits for ${awaited.join(", and for ")}`}`;
  const findings = [unprogrammed(ConditionReason.Terminating, message), { type: ConditionType.Ready, status: "False", reason: ConditionReason.Terminating, message } as const];
  const kept = facts.previous.filter(({ type }) => type === ConditionType.Accepted || type === ConditionType.ResolvedRefs);
  return [...kept, ...setConditions(facts.previous, findings, facts)];
}

/** Said in Ready: what was promised before they were taken out is kept. */
function retirement(numbers: number): string {
  if (numbers === 0) return "";
  return numbers === 1 ? "; 1 number that was taken out is honoured until its lease ends" : `; ${numbers} numbers that were taken out are honoured until their leases end`;
}

export function ruleConditions(facts: RuleFacts): readonly Condition[] {
  const accepted = acceptance(facts, null);
  const none = isResolved(facts) && facts.pools.length === 0;
  const refs = none ? unresolved(ConditionReason.NoMatchingPools, "no NumberPool of the namespace matches poolSelector") : resolution(facts);
  const serving = facts.pools.filter(({ inService }) => inService);
  const idle = facts.problems.length === 0 && isResolved(facts) && facts.pools.length > 0 && serving.length === 0;
  const programmed = idle ? withoutService(facts.pools.map(({ key }) => key)) : programming(facts, facts.problems.length === 0);
  return finish(facts, [accepted, refs, programmed], `routes calls of ${serving.length} pools`);
}

function withoutService(pools: readonly ResourceKey[]): Finding {
  return unprogrammed(ConditionReason.PoolNotAccepted, `not in the pods: no NumberPool that it is for is in service: ${listed(pools)}`);
}

/**
 * The state of a rule's attachment to each of its pools; `previous` are the entries of the old status. What is said of a pool is one of three short
 * sentences: an API server stores no object of more than 1.5 MB, and there are up to a thousand pools.
 */
export function rulePoolStatuses(facts: RuleFacts, previous: readonly RoutingRulePoolStatus[]): readonly RoutingRulePoolStatus[] {
  const before = new Map(previous.map(({ name, conditions }) => [name, conditions]));
  const problems = facts.problems.length === 0 ? [] : ["the rule is not accepted; see its own conditions"];
  return facts.pools.slice(0, MOST_POOLS).map(({ key, accepted }) => {
    const name = nameOf(key);
    const other = accepted ? null : refusal(ConditionReason.PoolNotAccepted, "the pool is not accepted in full; see its conditions");
    const finding = acceptance({ problems, warnings: [] }, other);
    return { name, conditions: setConditions(before.get(name) ?? [], [finding], facts) };
  });
}

/** The limit of the schema. */
const MOST_POOLS = 1_000;

export function trunkConditions(facts: TrunkFacts): readonly Condition[] {
  const conflict = sourceMessage(facts.sources);
  const accepted = acceptance(facts, conflict === null ? null : refusal(ConditionReason.SourceConflict, conflict));
  const refs = facts.secret === null ? resolution(facts) : unresolved(SECRET_REASONS[facts.secret.state], facts.secret.message);
  const programmed = programming(facts, facts.problems.length === 0);
  const seen = [reachability(facts.reachability), ...(facts.registrations === null ? [] : [registration(facts.registrations)])];
  // A trunk that isn't watched can be used all the same: only a False is worth more than the others' True.
  const decisive = [accepted, refs, programmed, ...seen.filter(({ status }) => status !== "Unknown")];
  return setConditions(facts.previous, [accepted, refs, programmed, ...seen, summarise(decisive, "the trunk can be used")], facts);
}

function finish(facts: IdleFacts, findings: readonly Finding[], message: string): readonly Condition[] {
  return setConditions(facts.previous, [...findings, summarise(findings, message)], facts);
}

function acceptance({ problems, warnings }: Pick<CommonFacts, "problems" | "warnings">, otherwise: Finding | null): Finding {
  if (problems.length > 0) return refusal(ConditionReason.Invalid, problems.join("; "));
  if (otherwise !== null) return otherwise;
  const accepted = { type: ConditionType.Accepted, status: "True" } as const;
  if (warnings.length === 0) return { ...accepted, reason: ConditionReason.Accepted, message: "the specification is in force" };
  const message = `the specification is in force; but ${listed(warnings.map(shortened), "; ")}`;
  return { ...accepted, reason: ConditionReason.AcceptedWithWarnings, message };
}

/** A field's name may come from outside, and be as long as it likes. */
function shortened(warning: string): string {
  return warning.length <= LONGEST_WARNING ? warning : `${warning.slice(0, LONGEST_WARNING - 3)}...`;
}

const LONGEST_WARNING = 300;

function refusal(reason: ConditionReason, message: string): Finding {
  return { type: ConditionType.Accepted, status: "False", reason, message };
}

function isResolved({ missing, unusable, terminating }: Lacks): boolean {
  return missing.length === 0 && unusable.length === 0 && terminating.length === 0;
}

function resolution({ missing, unusable, terminating }: Lacks): Finding {
  const faults = [
    ...(missing.length > 1 ? [`these do not exist: ${missing.join(", ")}`] : missing.map((one) => `${one} does not exist`)),
    ...unusable.map((one) => `${one} can't be used; see its conditions`),
    ...terminating.map((one) => `${one} is being deleted`),
  ];
  if (missing.length > 0) return unresolved(ConditionReason.RefNotFound, faults.join("; "));
  if (faults.length > 0) return unresolved(ConditionReason.RefNotUsable, faults.join("; "));
  const message = "everything referred to can be used";
  return { type: ConditionType.ResolvedRefs, status: "True", reason: ConditionReason.ResolvedRefs, message };
}

const SECRET_REASONS = {
  Absent: ConditionReason.RefNotFound,
  Invalid: ConditionReason.SecretInvalid,
  Unreadable: ConditionReason.SecretUnreadable,
} as const satisfies Record<SecretFault["state"], ConditionReason>;

function unresolved(reason: ConditionReason, message: string): Finding {
  return { type: ConditionType.ResolvedRefs, status: "False", reason, message };
}

function programming(facts: CommonFacts, accepted: boolean): Finding {
  const { revision, readyPods, pods, error } = facts.programming;
  const say = (status: Finding["status"], reason: ConditionReason, message: string): Finding => ({ ...unprogrammed(reason, message), status });
  // What is not valid never reaches a pod.
  if (!accepted) return say("False", ConditionReason.NotAccepted, NOT_VALID);
  // The message of ResolvedRefs names it.
  if (!isResolved(facts)) return say("False", ConditionReason.RefsNotResolved, "not complete in the pods: something it refers to is missing or can't be used");
  if (revision === null) return say("False", ConditionReason.Pending, "no revision with it has been made yet");
  const message = `${readyPods} of ${pods} pods run revision ${short(revision)}${facts.programming.withTrunks === true ? " with the trunks that it names" : ""}`;
  if (error !== null) return say("False", ConditionReason.ProgrammingFailed, `${message}: ${error}`);
  if (pods === 0) return say("Unknown", ConditionReason.NoPods, "no Asterisk pod has reported");
  if (readyPods < pods) return say("False", ConditionReason.Pending, `${message}${waiting(facts.programming.behind ?? [])}`);
  return say("True", ConditionReason.Programmed, message);
}

const NOT_VALID = "not sent to the pods: the specification is not valid";

function unprogrammed(reason: ConditionReason, message: string): Finding {
  return { type: ConditionType.Programmed, status: "False", reason, message };
}

function waiting(behind: readonly string[]): string {
  return behind.length === 0 ? "" : `; waiting for ${listed(behind)}`;
}

function listed(names: readonly string[], separator = ", "): string {
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : "";
  return `${names.slice(0, MOST_NAMES).join(separator)}${more}`;
}

/** Enough to find out what they have in common. */
const MOST_NAMES = 5;

/** Twelve digits of the hash are enough to compare by eye. */
function short(revision: string): string {
  return revision.slice(0, 12);
}

function reachability(states: readonly ReachabilityState[]): Finding {
  const answered = states.filter((state) => state === "Reachable").length;
  const message = `the carrier answers ${answered} of ${states.length} pods`;
  if (answered > 0) return { type: ConditionType.Reachable, status: "True", reason: ConditionReason.Reachable, message };
  if (states.includes("Unreachable")) return { type: ConditionType.Reachable, status: "False", reason: ConditionReason.Unreachable, message };
  const unknown = "no pod has measured it, or keep-alive is off";
  return { type: ConditionType.Reachable, status: "Unknown", reason: ConditionReason.NotMeasured, message: unknown };
}

function registration(states: readonly RegistrationState[]): Finding {
  const registered = states.filter((state) => state === "Registered").length;
  const message = `${registered} of ${states.length} pods are registered with the carrier`;
  if (registered > 0) return { type: ConditionType.Registered, status: "True", reason: ConditionReason.Registered, message };
  if (states.includes("Refused")) {
    const why = "it refuses the registration or does not answer it: check the Secret's username and password, and host, port and transport";
    return { type: ConditionType.Registered, status: "False", reason: ConditionReason.NotRegistered, message: `${message}; ${why}` };
  }
  return { type: ConditionType.Registered, status: "Unknown", reason: ConditionReason.NotMeasured, message: "no pod has an answer of the carrier yet, or Asterisk does not say" };
}
