import type { CallCursor, CallFilter } from "./call-filter.ts";
import type { CallContext, CallRecord, ClaimRequest, ClaimResult, E164, ResourceKey, Uuid } from "./types.ts";
import type { AnyResource, ResourceKind } from "./resources.ts";
import type { NumberPoolSpec, ReachabilityState, RegistrationState, RoutingRuleSpec, SipTrunkSpec } from "./api.generated.ts";
import type { Demand } from "./sizing.ts";

/** Everything that `domain` needs of the outside, and everything apps receive as arguments. */

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export interface Clock {
  now(): Date;
}

// ---------------------------------------------------------------- ingress <-> Postgres

export interface NumberClaims {
  /** Decides many requests in ONE statement and returns in the same order; prospects and devices that are new are stored. Durable when it resolves. */
  claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimResult[]>;
  /**
   * Ends the leases of these pools that the device's prospect has now, all or none; the cool-down starts. A number that other pages of the
   * prospect may show is nobody else's before they were promised it. Answers what its other devices that are online now may still show.
   * Nothing of a device that is not known.
   */
  release(pools: readonly ResourceKey[], by: Releaser): Promise<readonly ShownElsewhere[]>;
}

export interface Releaser {
  readonly device: Uuid;
  /** No page can be known as the same device but those that hear of the release by the browser. */
  readonly isOnlyPage: boolean;
}

export interface ShownElsewhere {
  readonly device: Uuid;
  /** Whose number it was. */
  readonly pool: ResourceKey;
  readonly mediaElement: string;
}

export interface Prospects {
  /**
   * Joins a device to the person `subject` of `site`; `prospect` counts for a device that is not known yet. The prospect that was known first survives;
   * the other's leases keep pointing to it until they end, and the older lease wins.
   */
  identify(input: { readonly site: string; readonly subject: string; readonly prospect: Uuid; readonly device: Uuid }): Promise<{
    readonly prospect: Uuid;
    readonly merged: boolean;
  }>;
  /** Takes a device off its person (log-out): the device gets a prospect of its own. */
  leave(device: Uuid): Promise<Uuid>;
  /** Forgets a person: associations and call records keep no identity. */
  erase(prospect: Uuid): Promise<void>;
  /** Forgets who called from this number: records of those calls keep that there was a call. */
  eraseCaller(caller: E164): Promise<void>;
  /** The prospect who logged in as `subject` of `site`; null when nobody did. */
  ofPerson(person: { readonly site: string; readonly subject: string }): Promise<Uuid | null>;
}

export interface Presence {
  /** Marks devices online until the time answered, `ttlSeconds` from now by the database's clock; many in one statement. */
  heartbeat(devices: readonly Uuid[], ttlSeconds: number): Promise<Date>;
  /**
   * @param heardUntil what the caller's last heartbeat of each device answered: a device that another replica heard of since
   * stays online. Without it they are offline whoever heard of them.
   */
  offline(devices: readonly Uuid[], heardUntil?: readonly Date[]): Promise<void>;
}

/** A push to one device, carried between replicas by NOTIFY. At most once: a device that asks gets the same number anyway. */
export interface DevicePush {
  readonly device: Uuid;
  /** The pool asked for: what the page's media element names. */
  readonly pool: ResourceKey;
  readonly mediaElement: string;
  /** null: it was given back, and the page's own stands there again. */
  readonly did: E164 | null;
  readonly leasedUntil: Date | null;
  /** When that was said, by the same clock: the database's. */
  readonly determinedAt?: Date | undefined;
  /** Whose number it is, when another pool's. */
  readonly lentBy?: ResourceKey | undefined;
}

export interface PushBus {
  publish(pushes: readonly DevicePush[]): Promise<void>;
  subscribe(listener: (push: DevicePush) => void): Promise<() => Promise<void>>;
}

/** Call records and numbers, for people and for other systems. */
export interface Records {
  /** Newest first; `after` is where the page before ended. */
  calls(filter: CallFilter, page: { readonly limit: number; readonly after: CallCursor | null }): Promise<readonly CallRecord[]>;
  call(id: string): Promise<CallRecord | null>;
  /** Calls in progress by pool; a pool without any is not there. */
  liveCalls(): Promise<Readonly<Record<ResourceKey, number>>>;
  /** Counts every number: costs a second and more for a million of them. */
  totals(): Promise<Readonly<Record<ResourceKey, PoolTotals>>>;
}

// ---------------------------------------------------------------- router <-> Postgres

export interface PoolEntry {
  readonly key: ResourceKey;
  readonly uid: string;
  readonly createdAt: Date;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: NumberPoolSpec;
}
export interface RuleEntry {
  readonly key: ResourceKey;
  readonly uid: string;
  readonly createdAt: Date;
  /** Accepted pools this rule is attached to. */
  readonly pools: readonly ResourceKey[];
  readonly spec: RoutingRuleSpec;
}
export interface TrunkEntry {
  readonly key: ResourceKey;
  readonly uid: string;
  readonly createdAt: Date;
  readonly spec: SipTrunkSpec;
}

/** Asking for it again and again is the truth, NOTIFY only a hint. */
export interface Revision {
  /** Grows with every change, as long as the database is neither restored nor taken over by a copy that lacked the last ones. */
  readonly revision: number;
  /** A random UUID of this revision: another one of the same number, in a database that lost this one, has another. */
  readonly mark: string;
}

/** Everything accepted, as the operator last wrote it. No secrets. */
export interface Snapshot extends Revision {
  readonly pools: readonly PoolEntry[];
  readonly rules: readonly RuleEntry[];
  readonly trunks: readonly TrunkEntry[];
}

/** What a snapshot of an earlier revision lacks. What is gone goes first: an object may have gone and come back. */
export interface SnapshotChanges extends Snapshot {
  /** uids */
  readonly gone: { readonly pools: readonly string[]; readonly rules: readonly string[]; readonly trunks: readonly string[] };
}

export interface DialplanRevision {
  readonly revision: number;
  /** SHA-256 of the content, hex. */
  readonly hash: string;
  /** `DIALPLANE_REVISION=<hash>`: name and value of the global variable that is set in Asterisk exactly when this revision is loaded. */
  readonly marker: string;
  readonly content: string;
}

export interface PodReport {
  readonly pod: string;
  /** Hash of the dialplan that the pod RUNS, read back from Asterisk; null before the first, and while Asterisk can't be asked. */
  readonly running: string | null;
  /** Why it does not run the one of the database. */
  readonly error: string | null;
  /** Revision of the snapshot that calls are routed by: rules and pools up to it are in force. */
  readonly routing: number | null;
  /** null for a pod without a folder of trunks. */
  readonly trunks: TrunkReport | null;
}

export interface TrunkReport {
  /** Revision of the trunks (see domain/trunk-file.ts) that were read back from Asterisk; null when it runs others. Made of no secret. */
  readonly running: string | null;
  /** Asterisk runs some trunks of ours, maybe older ones. */
  readonly loaded: boolean;
  readonly error: string | null;
  /** What OPTIONS found out about each trunk that is asked. */
  readonly reachability: Readonly<Record<ResourceKey, ReachabilityState>>;
  /** Of each trunk that registers with its carrier. Not given by routers of before it was looked at. */
  readonly registrations?: Readonly<Record<ResourceKey, RegistrationState>>;
}

/** A place at a destination and on a trunk, for as long as the leg's channel lives. */
export interface SeatRequest {
  readonly channel: string;
  readonly destination: string;
  /** Most calls at the same time; null: no limit. */
  readonly destinationLimit: number | null;
  readonly trunk: ResourceKey;
  readonly trunkLimit: number | null;
}

/** Who is calling? */
export interface CallQuestion {
  readonly did: E164;
  readonly pool: ResourceKey;
  /** Null when withheld. */
  readonly caller: E164 | null;
  /** When the call came in. */
  readonly at: Date;
}

export interface RouterStore {
  revision(): Promise<Revision>;
  snapshot(): Promise<Snapshot>;
  /** What changed after revision `since`; null when the database can't tell any more: then a snapshot has to be read. */
  changes(since: Revision): Promise<SnapshotChanges | null>;
  dialplan(): Promise<DialplanRevision | null>;
  /** Hash of what `dialplan` answers: asked often, while the content is some megabytes. */
  dialplanHash(): Promise<string | null>;
  reportPod(report: PodReport): Promise<void>;
  /** The pod ends: nobody waits for it any more. */
  removePod(pod: string): Promise<void>;
  /** One bounded query a call. @param input.liveCalls false: calls in progress by destination are not needed, and left out */
  callContext(input: CallQuestion & { readonly liveCalls?: boolean }): Promise<CallContext>;
  /** Counts a call that a RoundRobin rule takes. @returns how many it took before; null when there is no rule of this uid any more */
  nextTurn(rule: string): Promise<number | null>;
  /** Of calls that are on their way already, in their order and in one query: without calls in progress by destination. */
  callContexts(questions: readonly CallQuestion[]): Promise<readonly CallContext[]>;
  /** Insert or update by id; a replay of an older state never undoes a newer one. */
  saveCall(record: CallRecord): Promise<void>;
  /**
   * Calls that the dialplan served by itself, many in one statement; idempotent. One that a router had given away keeps what that router
   * knew of it: everything that a router wrote of these calls must be in the database before.
   */
  saveServedCalls(records: readonly CallRecord[]): Promise<void>;
  /**
   * Calls without an end that were received earlier, of the pod and of these ids whatever the pod: live ones, and those whose router died.
   *
   * @param pod null: only those of these ids
   */
  openCalls(pod: string | null, receivedBefore: Date, ids: readonly string[]): Promise<readonly CallRecord[]>;
  /** Calls without an end of pods that have been silent for minutes: nobody is there to see their end. At most some hundred at once. */
  lostCalls(): Promise<readonly CallRecord[]>;
  /** Takes a seat unless a limit is reached, however many pods ask at the same moment; answers which limit, null when it was taken. */
  takeSeat(seat: SeatRequest): Promise<"destination" | "trunk" | null>;
  /** Renews the seats of channels that live, and answers which of them have one; those that nobody renews for a minute are free. */
  keepSeats(channels: readonly string[]): Promise<readonly string[]>;
  leaveSeat(channel: string): Promise<void>;
  onChange(listener: () => void): Promise<() => Promise<void>>;
}

// ---------------------------------------------------------------- operator <-> Postgres

/** What a reconcile writes in ONE transaction. */
export interface DesiredState {
  readonly pools: readonly (PoolEntry & {
    readonly generation: number;
    /** Numbers this pool owns after conflicts, as sorted disjoint inclusive ranges. */
    readonly owned: readonly { readonly from: E164; readonly to: E164 }[];
  })[];
  readonly rules: readonly RuleEntry[];
  readonly trunks: readonly TrunkEntry[];
  /** What every pod has to run while these numbers retire: only who writes the rest knows them. The same numbers give the same content. */
  readonly dialplan: (retiring: readonly RetiringNumbers[]) => Omit<DialplanRevision, "revision">;
  /** Uids of pools that are declared and can't be in service now: their numbers are not lent, and nothing of theirs is cleaned up. */
  readonly suspended?: readonly string[];
  /** The last word of pools that are being deleted; without one, what was applied last counts. */
  readonly leaving?: readonly LeavingPool[];
}

/** Numbers that a pool gave up while they were leased, as sorted disjoint inclusive ranges: until the lease ends calls to them are its own. */
export interface RetiringNumbers {
  /** Of the pool. */
  readonly uid: string;
  readonly ranges: readonly { readonly from: E164; readonly to: E164 }[];
}

export interface LeavingPool {
  readonly uid: string;
  readonly reclaimPolicy: NumberPoolSpec["reclaimPolicy"];
}

/** What a writer knows to be in the database: it was the last to write, and this. */
export interface AppliedState extends Revision {
  readonly desired: DesiredState;
  /** Hash of the dialplan. */
  readonly dialplan: string;
}

export interface Applied extends Omit<AppliedState, "desired"> {
  /** Unchanged when nothing differed. */
  readonly changed: boolean;
  /** Whether the database has had what was known to be in it. If not, revisions have been lost, and their numbers come again. */
  readonly continues: boolean;
  /** Seconds until the lease of the first retiring number ends, and the dialplan is another one; null when none retires. */
  readonly retiresInSeconds: number | null;
}

/** One reign of a leading operator: of two terms, the one with the larger number is the later one. */
export interface Term {
  readonly holder: string;
  readonly number: number;
}

export interface PoolTotals {
  readonly total: number;
  readonly leased: number;
  readonly coolingDown: number;
  readonly available: number;
  /** Numbers taken out of the spec that are still leased: they retire when the lease ends. */
  readonly retiring: number;
  /** The busiest hour of the last week; absent until enough was measured. */
  readonly demand?: Demand | undefined;
}

export interface OperatorStore {
  /**
   * Makes the database be `desired`, set-based and incremental.
   * @param known when it is still what the database holds, only entries that are not the same objects as in `known` are sent and compared
   * @throws ExpectedError `StaleRevision` from an operator whose term is over: nothing is written
   */
  apply(desired: DesiredState, known?: AppliedState): Promise<Applied>;
  /**
   * Deletes what pools with reclaimPolicy Delete left behind: of those that were applied away before it was called, everything but promises that
   * live and calls in progress. May take minutes, and is then ended by the signal; nothing left takes milliseconds.
   */
  cleanUp(signal: AbortSignal): Promise<void>;
  /** Of these pools only, or of all. */
  totals(keys?: readonly ResourceKey[]): Promise<Readonly<Record<ResourceKey, PoolTotals>>>;
  /** Pods that live. One that was silent for too long is not among them, and forgotten. */
  pods(): Promise<readonly PodReport[]>;
  /** Calls the listener after a pod said something new, came or went by itself. A hint: `pods` is the truth. The answer stops it. */
  onPods(listener: () => void): Promise<() => Promise<void>>;
}

// ---------------------------------------------------------------- router <-> Asterisk

/**
 * ARI operations by path (https://docs.asterisk.org, "Asterisk REST Interface"), whatever carries them. The connection that calls go over
 * does what is asked about one channel or bridge in the order it was asked: nobody has to wait for one answer to send the next.
 */
export interface AriRest {
  /** @throws AriError for a status of 300 and more, `ExpectedError` `Unavailable` when the socket is gone. */
  request(method: "GET" | "POST" | "PUT" | "DELETE", path: string, query?: Readonly<Record<string, string>>, body?: object): Promise<unknown>;
}

/** Not asked of Asterisk: a limit of ours is reached. Counts as a far end without capacity. */
export class LimitReached extends Error {
  readonly limit: "destination" | "trunk" | "rate";
  constructor(limit: LimitReached["limit"], message: string) {
    super(message);
    this.name = "LimitReached";
    this.limit = limit;
  }
}

export class AriError extends Error {
  readonly status: number;
  constructor(status: number, operation: string, reason: string) {
    super(`ARI answered ${status} to ${operation}: ${reason}`);
    this.name = "AriError";
    this.status = status;
  }
}

// ---------------------------------------------------------------- where resources come from

/** Digest credentials of a trunk (RFC 3261 section 22), out of a Secret's keys `username` and `password`. Never logged, never in Postgres. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Why a Secret that a trunk names can't be used as it is now. Never holds a value of it. */
export interface SecretFault {
  readonly state: "Absent" | "Invalid" | "Unreadable";
  /** A sentence that names the Secret. */
  readonly message: string;
}

/** Why something declared was not taken. */
export interface SourceProblem {
  readonly file: string;
  /** 1-based number of the YAML document; null when the file as a whole can't be read. */
  readonly document: number | null;
  readonly field: string | null;
  readonly message: string;
}

/** An object that is there and takes no part. */
export interface IdleObject {
  readonly uid: string;
  readonly kind: ResourceKind;
  readonly key: ResourceKey;
}

/** Everything declared at one moment. */
export interface Declared {
  readonly resources: readonly AnyResource[];
  /** By `namespace/name` of the Secret. Of one with a fault what it held last, where that was seen: it goes on being used. */
  readonly credentials: ReadonlyMap<ResourceKey, Credentials>;
  /** By `namespace/name`: Secrets that can't be used as they are now. What is in neither map does not exist. */
  readonly secretFaults?: ReadonlyMap<ResourceKey, SecretFault>;
  readonly problems: readonly SourceProblem[];
  /** Pools that are being deleted and wait for us to let them go; they are not among `resources`. */
  readonly leaving?: readonly LeavingPool[];
  /** What is there and can't be read now: not in service, and nothing of such a pool is cleaned up. */
  readonly unreadable?: readonly IdleObject[];
  /** What is being deleted and is still there, of every kind: what names it is told so. */
  readonly terminating?: readonly IdleObject[];
}

export interface ResourceSource {
  /** Reads everything. What can't be read is in `problems` and its last good state stays declared. */
  read(): Promise<Declared>;
  /** Calls the listener after something may have changed; resolves once watching. The answer stops it. */
  watch(listener: () => void): Promise<() => Promise<void>>;
}

/** Rendered trunks. Holds secrets: never logged, never in a status. */
export interface TrunkConfiguration {
  readonly content: string;
  /** SHA-256 of the content, hex. */
  readonly hash: string;
  /** The incoming PJSIP endpoint of each trunk, there once it is loaded. */
  readonly endpoints: readonly string[];
}

/** Brings rendered trunks (with their secrets) to Asterisk, outside Postgres. */
export interface TrunkSink {
  /**
   * Writes what differs; answers the revision that a pod reports once it runs these trunks.
   * @throws ExpectedError `InvalidInput` when they can't be brought to the pods as they are, `Forbidden` when whoever keeps them refuses, for whatever reason
   */
  write(trunks: TrunkConfiguration): Promise<{ readonly revision: string }>;
}
