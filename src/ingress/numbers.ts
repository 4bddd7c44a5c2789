import { formatNumber, telUri } from "../domain/e164.ts";
import { ExpectedError } from "../domain/errors.ts";
import type { DevicePush, Logger, NumberClaims, PoolEntry, PushBus } from "../domain/ports.ts";
import { poolChoice } from "../domain/source-pool.ts";
import type { ClaimRequest, ClaimResult, E164, PoolChoice, ResourceKey } from "../domain/types.ts";
import { poolFor } from "./cors.ts";
import type { GivenTokens, Identities, IdentityTokens, Met } from "./identities.ts";
import type { Newcomers } from "./newcomers.ts";
import { tell } from "./pushes.ts";

export interface NumbersRequest {
  readonly elements: readonly WantedElement[];
  readonly tokens: GivenTokens;
  /** The tokens were made for the request and prove no earlier visit; the same client comes with the same device again. */
  readonly derivedTokens: boolean;
  /** Of the client, for the limit of new visitors. */
  readonly address: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly consent: Consent;
  /** `Origin` header; absent for apps and servers. */
  readonly origin: string | undefined;
  readonly crawler: boolean;
}

/** null: nothing was said, which is enough for a pool that requires no consent. Who denies is lent nothing anywhere, and not remembered. */
export type Consent = "granted" | "denied" | null;

export interface WantedElement {
  readonly pool: ResourceKey;
  readonly mediaElement: string;
  /** Path of the element in the request, for messages: "" or `elements[1].`. */
  readonly path: string;
}

/** Why the page keeps its own number. None of them is an error. */
export type UnchangedReason = "Exhausted" | "UnknownPool" | "Crawler" | "ConsentRequired" | "TooManyNewVisitors" | "Released";

/** After these it is worth asking again. */
const passing: ReadonlySet<UnchangedReason> = new Set(["Exhausted", "TooManyNewVisitors"]);
const askAgainMilliseconds = 300_000;

/** What a page shows with one media element. */
export interface ElementAnswer {
  readonly pool: ResourceKey;
  readonly mediaElement: string;
  readonly status: ClaimResult["status"];
  readonly number: E164 | null;
  /** In the pool's format. */
  readonly display: string | null;
  readonly tel: string | null;
  /** RFC 3339. Until then the number is this prospect's alone; null when it is not. */
  readonly expiresAt: string | null;
  /**
   * Milliseconds from now after which this holds no more: until `expiresAt`, for clients whose clock may be wrong; a lease for an overflow number,
   * which may be somebody's own when it is that no more; a while where a number may have become free. Absent where nothing changes by itself.
   */
  readonly expiresIn?: number;
  readonly reason?: UnchangedReason;
}

export interface NumbersAnswer {
  readonly elements: readonly ElementAnswer[];
  /** null when nothing was to be remembered: crawlers, visitors without consent, and more new visitors than an address may bring. */
  readonly tokens: IdentityTokens | null;
}

export interface NumbersDeps {
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly claims: NumberClaims;
  readonly pushes: PushBus;
  readonly identities: Identities;
  readonly newcomers: Newcomers;
  readonly logger: Logger;
}

/** An element that the page may ask for; `refusal` is why it keeps its own number all the same. Only an unknown pool has no entry. */
type AllowedElement = WantedElement & { readonly entry: PoolEntry | null; readonly choice: PoolChoice | null; readonly refusal: UnchangedReason | null };

type Pools = ReadonlyMap<ResourceKey, PoolEntry>;

/**
 * Decides what each media element shows. Nothing is leased when the page may not ask for one of the pools; a pool that is not there, or
 * not in service, takes the numbers of no other one off the page.
 * @throws ExpectedError `NotFound` when no pool of the request is known; HttpProblem 403
 */
export async function askForNumbers(deps: NumbersDeps, request: NumbersRequest): Promise<NumbersAnswer> {
  const pools = deps.pools();
  const wanted = request.elements.map((element) => allowed(element, pools, request));
  assertOneKnown(wanted);
  const asked = wanted.filter((element) => element.refusal === null);
  if (asked.length === 0) return { elements: answersOf(wanted, { pools, results: [] }), tokens: null };

  const met = deps.identities.meet(request.tokens);
  if (!mayComeIn(deps, met, request)) return { elements: wanted.map((element) => unchanged(element, element.refusal ?? "TooManyNewVisitors")), tokens: null };
  const { claimed, tokens } = met;
  const claims = asked.map(({ pool, mediaElement, choice }) => {
    return { pool, mediaElement, ...claimed, attributes: request.attributes, choice: choice ?? undefined };
  });
  const results = await deps.claims.claim(claims);
  await tell(deps, otherDevices(claims, results));
  return { elements: answersOf(wanted, { pools, results }), tokens: tokens(results[0]?.prospect ?? claimed.prospect) };
}

/** The data of a push: what the other device shows. */
export function pushedAnswer(push: DevicePush, pools: Pools, now: Date): ElementAnswer {
  if (push.did === null) return unchanged(push, "Released");
  const entry = pools.get(push.lentBy ?? push.pool);
  const until = push.leasedUntil;
  return shown(push, "assigned", push.did, { entry, until, expiresIn: until === null ? undefined : millisecondsFrom(push.determinedAt ?? now, until) });
}

/** Who was here before may always; what is refused for another reason was not counted. */
function mayComeIn({ newcomers }: NumbersDeps, { isNew, claimed }: Met, { derivedTokens, address }: NumbersRequest): boolean {
  if (derivedTokens) return newcomers.take(address, claimed.device) === 0;
  return !isNew || newcomers.take(address) === 0;
}

/** Whoever names nothing but unknown pools has made a mistake and should hear of it. */
function assertOneKnown(wanted: readonly AllowedElement[]): void {
  if (wanted.some(({ entry }) => entry !== null)) return;
  throw new ExpectedError("NotFound", "must be an existing NumberPool", { field: `${wanted[0]?.path ?? ""}pool` });
}

function allowed(element: WantedElement, pools: Pools, request: NumbersRequest): AllowedElement {
  const entry = poolFor(pools, element.pool, request.origin);
  if (entry === null) return { ...element, entry, choice: null, refusal: "UnknownPool" };
  const choice = poolChoice(entry, request.attributes, pools);
  const lender = pools.get(choice?.matched ?? entry.key) ?? entry;
  return { ...element, entry, choice: choice && permitted(choice, pools, request), refusal: refusalOf([entry, lender], request) };
}

function refusalOf(entries: readonly PoolEntry[], request: NumbersRequest): UnchangedReason | null {
  if (request.crawler) return "Crawler";
  return entries.some((entry) => lacksConsent(entry, request)) ? "ConsentRequired" : null;
}

/** Without consent no number of a pool that requires it is shown again either. */
function permitted(choice: PoolChoice, pools: Pools, request: NumbersRequest): PoolChoice {
  return { ...choice, candidates: choice.candidates.filter((key) => !lacksConsent(pools.get(key), request)) };
}

function lacksConsent(entry: PoolEntry | undefined, { consent }: NumbersRequest): boolean {
  return consent === "denied" || (entry?.spec.consent === "Required" && consent !== "granted");
}

/**
 * The claim's cross-device step: which other devices are online was determined with the claim itself; the same number goes to
 * them with the same media element before this device is answered.
 */
function otherDevices(claims: readonly ClaimRequest[], results: readonly ClaimResult[]): readonly DevicePush[] {
  return claims.flatMap((claim, index): DevicePush[] => {
    const result = results[index];
    if (result?.status !== "assigned") return [];
    const { did, leasedUntil, determinedAt, lentBy } = result;
    return result.otherDevicesOnline.map((device) => ({ device, pool: claim.pool, mediaElement: claim.mediaElement, did, leasedUntil, determinedAt, lentBy }));
  });
}

/** @param results one for each element that was not refused, in order. */
function answersOf(wanted: readonly AllowedElement[], { results, pools }: { readonly pools: Pools; readonly results: readonly ClaimResult[] }): readonly ElementAnswer[] {
  const rest = results.values();
  return wanted.map((element) => (element.refusal === null ? answerOf(element, rest.next().value, pools) : unchanged(element, element.refusal)));
}

function answerOf(element: AllowedElement, result: ClaimResult | undefined, pools: Pools): ElementAnswer {
  const entry = result !== undefined && "lentBy" in result ? pools.get(result.lentBy ?? element.pool) : (element.entry ?? undefined);
  switch (result?.status) {
    case undefined:
      throw new Error("the claim answered fewer results than it had requests");
    case "assigned":
      return shown(element, "assigned", result.did, { entry, until: result.leasedUntil, expiresIn: millisecondsFrom(result.determinedAt, result.leasedUntil) });
    case "overflow":
      return shown(element, "overflow", result.did, { entry, until: null, expiresIn: entry && entry.spec.assignment.leaseSeconds * 1000 });
    case "unchanged":
      return unchanged(element, result.reason);
  }
}

function shown(
  element: Pick<WantedElement, "pool" | "mediaElement">,
  status: "assigned" | "overflow",
  did: E164,
  { entry, until, expiresIn }: { readonly entry: PoolEntry | undefined; readonly until: Date | null; readonly expiresIn: number | undefined },
): ElementAnswer {
  return {
    pool: element.pool,
    mediaElement: element.mediaElement,
    status,
    number: did,
    display: formatNumber(did, entry?.spec.display.format ?? "National"),
    tel: telUri(did),
    expiresAt: until?.toISOString() ?? null,
    ...(expiresIn === undefined ? {} : { expiresIn }),
  };
}

/** Both by the database's clock: that of this machine may be wrong. */
function millisecondsFrom(at: Date, until: Date): number {
  return Math.max(0, until.getTime() - at.getTime());
}

function unchanged(element: Pick<WantedElement, "pool" | "mediaElement">, reason: UnchangedReason): ElementAnswer {
  const { pool, mediaElement } = element;
  const expires = passing.has(reason) ? { expiresIn: askAgainMilliseconds } : {};
  return { pool, mediaElement, status: "unchanged", number: null, display: null, tel: null, expiresAt: null, ...expires, reason };
}
