import type { Condition, ConditionStatus } from "./api.generated.ts";

/**
 * Status conditions as Kubernetes means them (metav1.Condition and the API conventions): what was observed, one aspect each,
 * all set on the first visit, `Ready` last.
 */

/** The kinds of condition, in the order they are shown. */
export const ConditionType = {
  /** The specification makes sense, and what it claims is its own. */
  Accepted: "Accepted",
  /** What it refers to exists and can be used. */
  ResolvedRefs: "ResolvedRefs",
  /** Every Asterisk pod was verified to run it. */
  Programmed: "Programmed",
  /** Trunks only: the carrier answers at least one pod. */
  Reachable: "Reachable",
  /** Trunks that register only: the carrier has accepted the registration of at least one pod. */
  Registered: "Registered",
  /** Sums up all others. */
  Ready: "Ready",
} as const;

/** Every reason that Dialplane sets. They are API. */
export const ConditionReason = {
  /** Accepted=True: nothing speaks against it. */
  Accepted: "Accepted",
  /** Accepted=True: it is in force, and something of it is probably not meant, or has no effect; the message names the fields. */
  AcceptedWithWarnings: "AcceptedWithWarnings",
  /** Accepted=False: the specification can't work; the message names field and allowed values. */
  Invalid: "Invalid",
  /** Accepted=False: an older pool holds some of the numbers; the message names them, the holder, and how many stay in service. */
  NumberConflict: "NumberConflict",
  /**
   * Accepted=False: calls of the trunk come from addresses of another one with other media settings; the message names the network, that trunk and
   * what differs. Both stay in service.
   */
  SourceConflict: "SourceConflict",
  /** Accepted=False on a pool: the finalizer that guards its numbers can't be put on it, so it is out of service; the message has the API server's words. */
  Unprotected: "Unprotected",
  /** Accepted=False on a rule's pool: the pool itself was not accepted. */
  PoolNotAccepted: "PoolNotAccepted",
  /** ResolvedRefs=True: everything referred to exists and can be used. */
  ResolvedRefs: "ResolvedRefs",
  /** ResolvedRefs=False: something referred to does not exist. */
  RefNotFound: "RefNotFound",
  /** ResolvedRefs=False: something referred to exists and can't be used, because it is being deleted or for what its own conditions say. */
  RefNotUsable: "RefNotUsable",
  /** ResolvedRefs=False on a trunk: its Secret lacks a key or holds something unusable; the message names the key and never a value. */
  SecretInvalid: "SecretInvalid",
  /** ResolvedRefs=False on a trunk: the operator can't read its Secret, mostly for want of a right; the message has the API server's words. */
  SecretUnreadable: "SecretUnreadable",
  /** ResolvedRefs=False: the rule's selector takes no pool. */
  NoMatchingPools: "NoMatchingPools",
  /** Programmed=True: all pods run it. */
  Programmed: "Programmed",
  /** Programmed=False: not all pods run it yet. */
  Pending: "Pending",
  /** Programmed=False: a pod could not load it, or the trunks could not be brought to the pods; the message has the words of whoever refused. */
  ProgrammingFailed: "ProgrammingFailed",
  /** Programmed=False: it was not sent to the pods, because it was not accepted. */
  NotAccepted: "NotAccepted",
  /** Programmed=False: it was not sent to the pods, because something it needs is missing or can't be used. */
  RefsNotResolved: "RefsNotResolved",
  /** Programmed=False, Ready=False: it is being deleted and out of service; the message says what that waits for. */
  Terminating: "Terminating",
  /** Programmed=Unknown: no Asterisk pod has reported. */
  NoPods: "NoPods",
  /** Reachable=True: the carrier answers. */
  Reachable: "Reachable",
  /** Reachable=False: the carrier answers no pod. */
  Unreachable: "Unreachable",
  /** Reachable=Unknown, Registered=Unknown: nothing was measured, keep-alive is off, or Asterisk does not say. */
  NotMeasured: "NotMeasured",
  /** Registered=True: the carrier has accepted the registration. */
  Registered: "Registered",
  /** Registered=False: the carrier refuses the registration of every pod, or does not answer it. */
  NotRegistered: "NotRegistered",
  /** Ready=True: all conditions hold. */
  Ready: "Ready",
} as const;

export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];
export type ConditionReason = (typeof ConditionReason)[keyof typeof ConditionReason];

/** What a check found: a condition without its history. */
export interface Finding {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: ConditionReason;
  readonly message: string;
}

/** The limit of the schema. */
const LONGEST_MESSAGE = 32_768;

/**
 * Puts a condition into the list, in its old place if it was there. `lastTransitionTime` moves only when `status` flips, so that
 * "for how long" can be read from it.
 */
export function setCondition(
  list: readonly Condition[],
  condition: Finding & { readonly observedGeneration: number },
  now: Date,
): readonly Condition[] {
  const before = list.find((other) => other.type === condition.type);
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : rfc3339(now);
  const message = clip(condition.message);
  const next: Condition = { ...condition, message, lastTransitionTime };
  return before === undefined ? [...list, next] : list.map((other) => (other === before ? next : other));
}

/** metav1.Time has whole seconds. */
function rfc3339(at: Date): string {
  return at.toISOString().replace(/\.\d{3}Z$/, "Z");
}

function clip(message: string): string {
  return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE - 3)}...`;
}

/** Sets all findings in their order, `Ready` last; what is not among them is dropped. */
export function setConditions(
  previous: readonly Condition[],
  findings: readonly Finding[],
  observed: { readonly generation: number; readonly now: Date },
): readonly Condition[] {
  const kept = previous.filter((condition) => findings.some((finding) => finding.type === condition.type));
  const all = findings.reduce<readonly Condition[]>(
    (list, finding) => setCondition(list, { ...finding, observedGeneration: observed.generation }, observed.now),
    kept,
  );
  const place = (condition: Condition): number => findings.findIndex((finding) => finding.type === condition.type);
  return [...all].sort((a, b) => place(a) - place(b));
}

/** Ready takes over status, reason and message of the first finding that is not True. */
export function summarise(findings: readonly Finding[], message: string): Finding {
  const worst = findings.find((finding) => finding.status === "False") ?? findings.find((finding) => finding.status === "Unknown");
  if (worst === undefined) return { type: ConditionType.Ready, status: "True", reason: ConditionReason.Ready, message };
  return { ...worst, type: ConditionType.Ready };
}
