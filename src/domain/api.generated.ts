// DO NOT EDIT. Generated from crds/ by scripts/generators/crd-types.ts: npm run generate
// Types of defaulted objects: what has a default in the schema is always there.

/** What numbers there are and how they are handed out. */
export interface NumberPoolSpec {
  /**
   * Single numbers in E.164 form, in any order, each once; at most 10000. Use ranges for blocks of numbers. A number
   * that is removed is retired when its lease ends and keeps its history; calls to it reach the same destinations
   * until then.
   */
  readonly numbers?: readonly string[];
  /**
   * Blocks of consecutive numbers, both ends included; at most 1000 blocks. A number that is listed twice counts once.
   * All blocks and numbers together may hold 1000000 numbers.
   */
  readonly ranges?: readonly NumberRange[];
  /**
   * The SipTrunk of the same namespace where calls to these numbers arrive. It is also the way out for every
   * destination that names no trunk of its own.
   */
  readonly trunkRef: TrunkRef;
  /** How numbers are lent to prospects. Changes apply to the next assignment; running leases keep their end. */
  readonly assignment: NumberPoolAssignment;
  /**
   * Who is called when no RoutingRule matches, and by Asterisk's own dialplan while the router or the database is
   * down. Exactly one of number and sipUri.
   */
  readonly defaultDestination: NumberPoolDefaultDestination;
  /**
   * Other pools that visits from certain sources get their numbers from. The first entry decides of which all
   * attributes hold; where there is none, it is this pool. Pages go on naming this pool, and its allowedOrigins hold.
   * While a lease of this pool or of one named here lives, its prospect keeps the number, whatever the source of a
   * later visit. Who comes back without a source gets the number held last, as long as nobody else got it. Each pool
   * lends, displays and asks for consent in its own way, also when it is exhausted. An entry whose pool is missing or
   * not in service is passed over, and sources of the pools named here are not followed. At most 50.
   */
  readonly sources?: readonly NumberPoolSource[];
  /** How numbers are written in the page. */
  readonly display: NumberPoolDisplay;
  /**
   * Origins of the web pages that may ask for numbers of this pool, as browsers send them: scheme, host and port (left
   * out where it is the scheme's own), lower case, no path, no wildcard. Empty, the default, means that no web page
   * may ask; apps and servers that send no Origin are not concerned.
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * Required hands out a number only to requests that say the visitor consented to call tracking; others keep the
   * page's own number. NotRequired, the default, doesn't ask.
   */
  readonly consent: ConsentMode;
  /**
   * Prefixes of callers' numbers whose calls are refused (SIP 403). A whole number blocks one caller, +1900 blocks a
   * range. Who hides the number is not refused. At most 1000.
   */
  readonly blockedCallers?: readonly string[];
  /**
   * What happens to the history of assignments and calls when the pool is deleted: Retain, the default, keeps it;
   * Delete removes it, beyond recovery, before the pool is gone. Calls that are in progress then, or whose records
   * come later, are removed within minutes of their end. Numbers that are still promised are removed once promise and
   * cool-down are over. A lease that another pool took over with its number is that pool's history.
   */
  readonly reclaimPolicy: ReclaimPolicy;
}

/** A block of consecutive numbers of the same length. */
export interface NumberRange {
  /** The first number of the block, in E.164 form. */
  readonly from: string;
  /** The last number of the block, in E.164 form; as many digits as `from` and not below it. */
  readonly to: string;
}

export interface TrunkRef {
  /** Name of the SipTrunk. */
  readonly name: string;
}

/** How numbers are lent to prospects. Changes apply to the next assignment; running leases keep their end. */
export interface NumberPoolAssignment {
  /**
   * How long a prospect keeps a number after the last sign of life of any of the prospect's devices, in seconds.
   * Guaranteed: it is never shorter. Default 1800 (half an hour). Longer needs more numbers.
   */
  readonly leaseSeconds: number;
  /**
   * The least time after the end of a lease before another prospect may get the number, in seconds. Late calls of that
   * time still reach the right context. Beyond it, the number released longest ago goes first. Default 900 (a quarter
   * of an hour).
   */
  readonly cooldownSeconds: number;
  /**
   * For how long after a lease a call to the number is still attributed to the prospect who saw it, in seconds, as
   * long as nobody else was shown it or the caller has called before. Default 2592000 (30 days). It has no effect on
   * when a number is free.
   */
  readonly attributionWindowSeconds: number;
  /** What a visitor gets when no number is free. */
  readonly onExhausted: NumberPoolOnExhausted;
}

/** What a visitor gets when no number is free. */
export interface NumberPoolOnExhausted {
  /**
   * Overflow shows one reserved number to everybody who finds none free (calls to it are routed, but not attributed);
   * LeavePage leaves the number that is written in the page; ReclaimOldest gives up the rest of the cool-down that
   * began longest ago, of a prospect who is neither online nor in a call, and leaves the page as it is if there is
   * none. A lease is never cut short. Default LeavePage.
   */
  readonly type: OnExhaustedType;
  /** The reserved number. Required when `type` is Overflow, forbidden otherwise. */
  readonly overflow?: NumberPoolOverflow;
}

export type OnExhaustedType = "Overflow" | "LeavePage" | "ReclaimOldest";

/** The reserved number. Required when `type` is Overflow, forbidden otherwise. */
export interface NumberPoolOverflow {
  /**
   * The number to show, in E.164 form. It arrives on the pool's trunk and is never leased to a prospect, whether or
   * not it is also listed in the pool.
   */
  readonly number: string;
}

/**
 * Who is called when no RoutingRule matches, and by Asterisk's own dialplan while the router or the database is down.
 * Exactly one of number and sipUri.
 */
export interface NumberPoolDefaultDestination {
  /** A number in E.164 form. It must not belong to this pool, or calls would go in circles. */
  readonly number?: string;
  /** A SIP URI: sip or sips, an optional user, a host, optional port and transport. */
  readonly sipUri?: string;
  /** The SipTrunk of the same namespace to call through. Default is the pool's trunkRef. */
  readonly trunkRef?: TrunkRef;
}

/** One kind of source and the pool for it. */
export interface NumberPoolSource {
  /**
   * Conditions on the attributes of the visit, all of which must hold: utm_source and the other campaign parameters
   * and click ids of the page the visit began with, `referrer` (the host that it came from), and whatever the page or
   * app sends itself.
   */
  readonly attributes: readonly AttributeMatch[];
  /** The NumberPool of the same namespace whose numbers these visits get. */
  readonly poolRef: PoolRef;
}

/** One condition on one attribute. */
export interface AttributeMatch {
  /** Name of the attribute. */
  readonly name: string;
  /**
   * Equals wants exactly `value`, upper and lower case told apart; Prefix wants a beginning; Exists wants any value.
   * Default Equals.
   */
  readonly type: AttributeMatchType;
  /** What to compare with. Required unless `type` is Exists, forbidden then. */
  readonly value?: string;
}

export type AttributeMatchType = "Equals" | "Prefix" | "Exists";

export interface PoolRef {
  /** Name of the NumberPool. */
  readonly name: string;
}

/** How numbers are written in the page. */
export interface NumberPoolDisplay {
  /**
   * National, as in (202) 555-0110; International, as in +1 202 555 0110; E164, as in +12025550110. Default National.
   * Links to call the number always use E.164.
   */
  readonly format: DisplayFormat;
}

export type DisplayFormat = "National" | "International" | "E164";

export type ConsentMode = "Required" | "NotRequired";

export type ReclaimPolicy = "Retain" | "Delete";

/** What the operator observed. Written by Dialplane only. */
export interface NumberPoolStatus {
  /** The metadata.generation that this status speaks about. */
  readonly observedGeneration?: number;
  /**
   * Accepted (the specification makes sense and the numbers are this pool's), ResolvedRefs (the trunks can be used),
   * Programmed (every Asterisk pod runs a dialplan with it) and Ready (all of these).
   */
  readonly conditions?: readonly Condition[];
  /** Counts, refreshed at most every 30 seconds. The operator's metric dialplane_pool_numbers has the same. */
  readonly numbers?: NumberPoolNumbers;
  /**
   * Numbers needed so that at most 1 % of the prospects find none free (Erlang B), from the measured arrivals and
   * holding times. Absent until enough was measured.
   */
  readonly recommendedSize?: number;
  /** How far the dialplan with this pool has come. */
  readonly dialplan?: DialplanStatus;
}

/** One aspect of the state, as in Kubernetes' own metav1.Condition. */
export interface Condition {
  /** Name of the condition. */
  readonly type: string;
  /** True, False, or Unknown while it can't be told. */
  readonly status: ConditionStatus;
  /** The metadata.generation that the condition speaks about. */
  readonly observedGeneration?: number;
  /** When `status` last changed. */
  readonly lastTransitionTime: string;
  /** The cause in one CamelCase word, for machines. */
  readonly reason: string;
  /** The cause in words, for people. */
  readonly message: string;
}

export type ConditionStatus = "True" | "False" | "Unknown";

/** Counts, refreshed at most every 30 seconds. The operator's metric dialplane_pool_numbers has the same. */
export interface NumberPoolNumbers {
  /** Numbers of the pool that are in service. */
  readonly total: number;
  /** Numbers that a prospect holds. */
  readonly leased: number;
  /** Numbers whose lease ended less than cooldownSeconds ago. */
  readonly coolingDown: number;
  /** Numbers that can be handed out now. */
  readonly available: number;
  /** Leased and cooling down, as a share of the total. */
  readonly utilizationPercent: number;
}

/** How far the dialplan with this pool has come. */
export interface DialplanStatus {
  /** Content hash of the dialplan revision that holds this state of the pool. */
  readonly revision: string;
  /** Asterisk pods that were verified to run that revision or a later one. */
  readonly readyPods: number;
  /** Asterisk pods alive. */
  readonly pods: number;
}

/** Which calls, and where they go. */
export interface RoutingRuleSpec {
  /** The NumberPools of the same namespace, by name, whose calls this rule may route. Either this or poolSelector. */
  readonly poolRefs?: readonly PoolRef[];
  /**
   * The NumberPools of the same namespace, by label, now and in future. All that is given must hold; an empty selector
   * takes every pool. Either this or poolRefs.
   */
  readonly poolSelector?: PoolSelector;
  /**
   * Rules of higher priority are tried first. Among equals the older rule wins, then the first by namespace and name.
   * Default 0.
   */
  readonly priority: number;
  /** Which calls. All that is given must hold; nothing given, the default, matches every call. */
  readonly match: RoutingRuleMatch;
  /**
   * Sequential tries the destinations in order; Weighted draws the first by weight, and the others after it;
   * RoundRobin starts with the next one at each call that the rule takes; Simultaneous rings all and connects who
   * answers first; LeastCalls starts with who has the fewest live calls. Default Sequential.
   */
  readonly strategy: RoutingStrategy;
  /** Who is called, 1 to 20. */
  readonly destinations: readonly RoutingRuleDestination[];
  /** Which number the destination sees as the caller. */
  readonly callerId: RoutingRuleCallerId;
  /**
   * What a busy destination does to the call. Next tries the next destination, Stop, the default, tells the caller it
   * is busy.
   */
  readonly onBusy: OnFailure;
  /**
   * What a destination that doesn't answer in time does to the call. Next, the default, tries the next one, Stop ends
   * the call.
   */
  readonly onNoAnswer: OnFailure;
  /** The longest a call may last, in seconds, after which it is ended. Default 14400 (four hours). */
  readonly maxCallSeconds: number;
  /**
   * Enabled sends a repeat caller first to the destination of this rule that answered that caller's last call; when it
   * is busy or does not answer, the others are rung as they would have been. Default Disabled.
   */
  readonly stickyCaller: StickyCaller;
  /**
   * What callers hear until somebody answers. Ring, the default: an ordinary ringing tone. Pass: what the
   * destination's side plays before it answers, such as its own ringing tone or an announcement, and the destination's
   * side hears the caller. Destinations that ring together with others or hear a whisper ring all the same. The audio
   * of such calls passes through Asterisk's core, which costs more CPU.
   */
  readonly earlyMedia: EarlyMedia;
}

/**
 * The NumberPools of the same namespace, by label, now and in future. All that is given must hold; an empty selector
 * takes every pool. Either this or poolRefs.
 */
export interface PoolSelector {
  /** Labels that a pool must have, name to value. */
  readonly matchLabels?: Readonly<Record<string, string>>;
  /** Conditions on labels, all of which must hold. */
  readonly matchExpressions?: readonly PoolSelectorRequirement[];
}

/** One condition on one label. */
export interface PoolSelectorRequirement {
  /** Name of the label. */
  readonly key: string;
  /**
   * In and NotIn compare with `values`; Exists and DoesNotExist ask only for the label. NotIn also takes pools without
   * the label.
   */
  readonly operator: PoolSelectorOperator;
  /** Values for In and NotIn; forbidden for the others. */
  readonly values?: readonly string[];
}

export type PoolSelectorOperator = "In" | "NotIn" | "Exists" | "DoesNotExist";

/** Which calls. All that is given must hold; nothing given, the default, matches every call. */
export interface RoutingRuleMatch {
  /** Prefixes of callers' numbers, one of which must fit. A caller who hides the number never fits. */
  readonly callers?: readonly string[];
  /** When, by the wall clock of a time zone, daylight saving included. */
  readonly schedule?: Schedule;
  /**
   * Names of media elements, as the page gives them in data-dialplane; the prospect must have been shown the number
   * with one of them. Calls without attribution never fit.
   */
  readonly mediaElements?: readonly string[];
  /**
   * Conditions on the attributes of the prospect's session (utm_source and others), all of which must hold. Calls
   * without attribution never fit.
   */
  readonly attributes?: readonly AttributeMatch[];
  /**
   * Only wants callers whose number had an answered call to a number of this pool before, Never wants the others, Any,
   * the default, doesn't ask.
   */
  readonly repeatCaller: RepeatCallerMatch;
  /** How well the call is attributed; one must hold. Not given, any will do. */
  readonly attribution?: readonly AttributionMatch[];
}

/** When, by the wall clock of a time zone, daylight saving included. */
export interface Schedule {
  /** Name of the time zone in the IANA database. Europe/Berlin, not CET or +01:00. */
  readonly timeZone: string;
  /** Weekly times, one of which must hold. A window does not cross midnight: write two, the first ending at 24:00. */
  readonly windows: readonly ScheduleWindow[];
  /** Dates on which the weekly windows don't count, such as holidays. At most 366. */
  readonly exceptionDates?: readonly ScheduleException[];
}

/** Days of the week and a time of day. */
export interface ScheduleWindow {
  /** Days of the week. */
  readonly days: readonly Weekday[];
  /** First minute, as HH:MM of 24 hours. */
  readonly from: string;
  /** First minute after the window, as HH:MM, later than `from`; 24:00 is the end of the day. */
  readonly to: string;
}

export type Weekday = "Monday" | "Tuesday" | "Wednesday" | "Thursday" | "Friday" | "Saturday" | "Sunday";

/** One date and what holds on it. */
export interface ScheduleException {
  /** The date in the schedule's time zone, as YYYY-MM-DD. */
  readonly date: string;
  /** The times that hold on this date instead. None, the default, means closed all day. */
  readonly windows?: readonly ScheduleExceptionWindow[];
}

/** A time of day. */
export interface ScheduleExceptionWindow {
  /** First minute, as HH:MM of 24 hours. */
  readonly from: string;
  /** First minute after the window, as HH:MM, later than `from`; 24:00 is the end of the day. */
  readonly to: string;
}

export type RepeatCallerMatch = "Any" | "Only" | "Never";

export type AttributionMatch = "Exclusive" | "Stale" | "Repeat" | "Overflow" | "Ambiguous" | "None" | "Unavailable";

export type RoutingStrategy = "Sequential" | "Weighted" | "RoundRobin" | "Simultaneous" | "LeastCalls";

/** One destination. Exactly one of number and sipUri. */
export interface RoutingRuleDestination {
  /** Name of the destination in records, metrics and explanations; unique in the rule. */
  readonly name: string;
  /** A number in E.164 form, quoted in YAML. */
  readonly number?: string;
  /** A SIP URI: sip or sips, an optional user, a host, optional port and transport. */
  readonly sipUri?: string;
  /** The SipTrunk of the same namespace to call through. Default is the pool's trunkRef. */
  readonly trunkRef?: TrunkRef;
  /** Share of the calls with strategy Weighted, relative to the other destinations; of no effect otherwise. Default 1. */
  readonly weight: number;
  /** How long it rings before the call counts as not answered, in seconds. Default 25. */
  readonly ringTimeoutSeconds: number;
  /** Calls in progress at which this destination is passed over. Not given, no limit. */
  readonly maxConcurrentCalls?: number;
  /**
   * What only the answering party hears before being connected; the caller hears ringing meanwhile, for at most 20
   * seconds.
   */
  readonly whisper?: Whisper;
}

/**
 * What only the answering party hears before being connected; the caller hears ringing meanwhile, for at most 20
 * seconds.
 */
export interface Whisper {
  /**
   * An Asterisk media URI: sound and the name of a sound file without extension, or tone and the name of an
   * indication, heard for 2 seconds.
   */
  readonly media: string;
}

/** Which number the destination sees as the caller. */
export interface RoutingRuleCallerId {
  /**
   * Tracking shows the number that was called, which every carrier accepts; Caller shows the caller's own number,
   * which many carriers refuse for outgoing calls; Fixed shows `fixed`. The trunk's callerId.from has the last word.
   * Default Tracking.
   */
  readonly type: CallerIdType;
  /** The number to show. Required when `type` is Fixed, forbidden otherwise. */
  readonly fixed?: FixedCallerId;
}

export type CallerIdType = "Caller" | "Tracking" | "Fixed";

export interface FixedCallerId {
  /** A number in E.164 form that the carrier lets you use. */
  readonly number: string;
}

export type OnFailure = "Next" | "Stop";

export type StickyCaller = "Enabled" | "Disabled";

export type EarlyMedia = "Ring" | "Pass";

/** What the operator observed. Written by Dialplane only. */
export interface RoutingRuleStatus {
  /** The metadata.generation that this status speaks about. */
  readonly observedGeneration?: number;
  /**
   * Accepted (the specification makes sense), ResolvedRefs (the pools and trunks can be used), Programmed (the routers
   * have it) and Ready (all of these).
   */
  readonly conditions?: readonly Condition[];
  /**
   * The pools of `pools` in a line, for lists of rules: the first three by name, and how many more there are. A column
   * of `kubectl get` shows only the first element of a list.
   */
  readonly poolSummary?: string;
  /** The pools that the rule is attached to, by name; at most 1000 are listed. */
  readonly pools?: readonly RoutingRulePoolStatus[];
}

/** One attached pool. */
export interface RoutingRulePoolStatus {
  /** Name of the NumberPool. */
  readonly name: string;
  /** Conditions of the attachment to this pool, such as Accepted. */
  readonly conditions?: readonly Condition[];
}

/** How to reach the carrier and how to recognise it. Changes reach new calls; calls in progress go on. */
export interface SipTrunkSpec {
  /** Host name or IP address that calls are sent to; an IPv6 address without brackets. */
  readonly host: string;
  /** Port that calls are sent to. Default 5060; carriers mostly use 5061 for TLS. */
  readonly port: number;
  /** How SIP messages travel, in both directions, UDP, TCP or TLS. Default UDP. */
  readonly transport: SipTransport;
  /**
   * How the sound is encrypted. None, the default; SDES, with the keys in the SIP messages, which calls for transport
   * TLS; DTLS, with keys agreed on the media path.
   */
  readonly mediaEncryption: MediaEncryption;
  /**
   * Networks in CIDR form that calls of this trunk come from; a single address ends in /32 or /128. Calls from
   * elsewhere are refused. Not given, only the addresses that `host` resolves to.
   */
  readonly sourceAddresses?: readonly string[];
  /**
   * Credentials for the carrier's challenges and for registration. Not given, the carrier knows us by address. What
   * becomes of the Secret interrupts no call: while it is missing or can't be used, the trunk goes on with what it
   * held last as long as it names this Secret, and one whose Secret was never seen is used without authentication and
   * registration; ResolvedRefs says so.
   */
  readonly authentication?: SipTrunkAuthentication;
  /**
   * Enabled registers with the carrier (SIP REGISTER) so that it knows where to send calls; needs `authentication`.
   * The carrier has to name the called number in the request, not the user that is registered. Default Disabled.
   */
  readonly registration: RegistrationMode;
  /**
   * Audio codecs in order of preference, each once. What the caller speaks is offered to a destination first, if it is
   * one of them, so that nothing is converted. Default PCMU, PCMA.
   */
  readonly codecs: readonly Codec[];
  /**
   * The carrier's rules for caller ID. Most carriers refuse a From that is not one of your numbers, and some want the
   * original caller in P-Asserted-Identity and the called number in Diversion.
   */
  readonly callerId: SipTrunkCallerId;
  /** How the trunk is watched. */
  readonly keepAlive: SipTrunkKeepAlive;
  /**
   * Outgoing calls a second that one Asterisk pod starts at most. More wait for up to two seconds; then the next
   * destination is tried, or the caller gets 503. Calls that the dialplan rings by itself are not counted. Not given,
   * no limit.
   */
  readonly maxCallsPerSecond?: number;
  /**
   * Outgoing calls in progress, over all pods, at which the trunk is full: the next destination is tried, or the
   * caller gets 503. Calls that the dialplan rings by itself are not counted. Not given, no limit.
   */
  readonly maxConcurrentCalls?: number;
}

export type SipTransport = "UDP" | "TCP" | "TLS";

export type MediaEncryption = "None" | "SDES" | "DTLS";

/**
 * Credentials for the carrier's challenges and for registration. Not given, the carrier knows us by address. What
 * becomes of the Secret interrupts no call: while it is missing or can't be used, the trunk goes on with what it held
 * last as long as it names this Secret, and one whose Secret was never seen is used without authentication and
 * registration; ResolvedRefs says so.
 */
export interface SipTrunkAuthentication {
  /** The Secret of the same namespace with the keys username and password. */
  readonly secretRef: SecretRef;
}

/** The Secret of the same namespace with the keys username and password. */
export interface SecretRef {
  /** Name of the Secret. */
  readonly name: string;
}

export type RegistrationMode = "Enabled" | "Disabled";

export type Codec = "PCMU" | "PCMA" | "G722" | "OPUS";

/**
 * The carrier's rules for caller ID. Most carriers refuse a From that is not one of your numbers, and some want the
 * original caller in P-Asserted-Identity and the called number in Diversion.
 */
export interface SipTrunkCallerId {
  /**
   * Which From the carrier accepts on outgoing calls. Tracking: only your own numbers, so that a RoutingRule's
   * callerId of Caller is sent as the number that was called. Caller: any, as the RoutingRule says. Fixed: always
   * `fixed`. Default Tracking.
   */
  readonly from: TrunkCallerIdFrom;
  /** The number in From. Required when `from` is Fixed, forbidden otherwise. */
  readonly fixed?: FixedCallerId;
  /** Number in the P-Asserted-Identity header (RFC 3325), Caller or Tracking; None, the default, sends no such header. */
  readonly pAssertedIdentity: PAssertedIdentity;
  /** Tracking sends the called number in a Diversion header (RFC 5806); None, the default, sends no such header. */
  readonly diversion: Diversion;
}

export type TrunkCallerIdFrom = "Tracking" | "Caller" | "Fixed";

export type PAssertedIdentity = "None" | "Caller" | "Tracking";

export type Diversion = "None" | "Tracking";

/** How the trunk is watched. */
export interface SipTrunkKeepAlive {
  /** Seconds between SIP OPTIONS requests to the carrier. Default 60; 0 sends none, and reachability stays Unknown. */
  readonly optionsIntervalSeconds: number;
}

/** What the operator observed. Written by Dialplane only. */
export interface SipTrunkStatus {
  /** The metadata.generation that this status speaks about. */
  readonly observedGeneration?: number;
  /**
   * Accepted (the specification makes sense), ResolvedRefs (the Secret exists and can be used), Programmed (every
   * Asterisk pod runs it), Reachable (the carrier answers at least one pod), Registered (at least one pod is
   * registered with the carrier; only with `registration: Enabled`) and Ready (it can be used).
   */
  readonly conditions?: readonly Condition[];
  /**
   * Whether the carrier answers and has accepted the registration, as each Asterisk pod sees it; at most 1000 pods are
   * listed.
   */
  readonly reachability?: readonly TrunkReachability[];
}

/** One pod's view. */
export interface TrunkReachability {
  /** Name of the Asterisk pod. */
  readonly pod: string;
  /** Reachable when the last OPTIONS was answered, Unreachable when not, Unknown when none was sent. */
  readonly state: ReachabilityState;
  /**
   * Registered when the carrier accepted the last REGISTER, Refused when it did not or was silent, Unknown before the
   * first answer, and where Asterisk does not say (it needs res_prometheus). Only with `registration: Enabled`.
   */
  readonly registration?: RegistrationState;
}

export type ReachabilityState = "Reachable" | "Unreachable" | "Unknown";

export type RegistrationState = "Registered" | "Refused" | "Unknown";
