/** What design.md section 4 promises of claims, checked from what the clients were told. Times are milliseconds of the database's clock. */

export interface Acknowledged {
  readonly pool: string;
  readonly prospect: string;
  readonly did: string;
  readonly determinedAt: number;
  /** Where it is not known exactly: `determinedAt` is the latest that it can have been, and this the earliest. */
  readonly determinedFrom?: number;
  readonly leasedUntil: number;
  readonly renewed: boolean;
}

/** A release happened at some time between these, or (its process was killed) never. */
export interface Released {
  readonly pool: string;
  readonly prospect: string;
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface Shown {
  readonly did: string;
  readonly prospect: string;
  readonly device: string;
  readonly mediaElement: string;
  readonly leasedFrom: number;
}

export interface Promises {
  readonly leaseMs: number;
  readonly cooldownMs: number;
}

/** `until` is when the claim's promise ends: as told, or earlier because the prospect gave the number back. */
type Hold = Acknowledged & { readonly until: number };

/** One sentence for each broken promise. */
export function violations(claims: readonly Acknowledged[], releases: readonly Released[], promises: Promises): string[] {
  const released = groupBy(releases, holderOf);
  const ended = claims.map((claim) => ({ ...claim, until: endOf(claim, released.get(holderOf(claim)) ?? []) }));
  // A claim and its renewal can be of the same millisecond: the longer promise came later.
  const holds = ended.sort((a, b) => a.determinedAt - b.determinedAt || a.leasedUntil - b.leasedUntil);
  return [
    ...holds.flatMap((hold) => shortLease(hold, promises)),
    ...[...groupBy(holds, ({ did }) => did).values()].flatMap((ofOne) => sharedNumber(ofOne, promises)),
    ...[...groupBy(holds, holderOf).values()].flatMap(secondNumber),
    ...[...groupBy(holds, (hold) => `${hold.did} ${holderOf(hold)}`).values()].flatMap(takenBack),
  ];
}

function endOf(claim: Acknowledged, releases: readonly Released[]): number {
  const ends = releases.filter(({ endedAt }) => endedAt >= (claim.determinedFrom ?? claim.determinedAt)).map(({ startedAt }) => Math.max(startedAt, claim.determinedAt));
  return Math.min(claim.leasedUntil, ...ends);
}

function shortLease(claim: Acknowledged, { leaseMs }: Promises): string[] {
  const given = claim.leasedUntil - claim.determinedAt;
  return given >= leaseMs ? [] : [`${claim.did} was promised to ${claim.prospect} for ${given} ms only, at ${claim.determinedAt}`];
}

/** @param holds of one number, by time */
function sharedNumber(holds: readonly Hold[], { cooldownMs }: Promises): string[] {
  const untilOf = new Map<string, number>();
  const broken: string[] = [];
  for (const { did, prospect, determinedAt, until } of holds) {
    for (const [other, end] of untilOf) {
      if (other === prospect || determinedAt >= end + cooldownMs) continue;
      const what = determinedAt < end ? "while it was" : `${determinedAt - end} ms after it had been`;
      broken.push(`${did} was given to ${prospect} ${what} leased to ${other}, at ${determinedAt}`);
    }
    untilOf.set(prospect, Math.max(until, untilOf.get(prospect) ?? 0));
  }
  return broken;
}

/** @param holds of one prospect in one pool, by time */
function secondNumber(holds: readonly Hold[]): string[] {
  const untilOf = new Map<string, number>();
  const broken: string[] = [];
  for (const { did, prospect, determinedAt, until } of holds) {
    for (const [other, end] of untilOf) {
      if (other !== did && determinedAt < end) broken.push(`${prospect} was given ${did} while it had ${other}, at ${determinedAt}`);
    }
    untilOf.set(did, Math.max(until, untilOf.get(did) ?? 0));
  }
  return broken;
}

/** @param holds of one prospect and number, by time */
function takenBack(holds: readonly Hold[]): string[] {
  let promised = 0;
  const broken: string[] = [];
  for (const { did, prospect, determinedAt, leasedUntil, until } of holds) {
    if (determinedAt < promised && leasedUntil < promised) broken.push(`${did} was promised to ${prospect} until ${promised}, then only until ${leasedUntil}`);
    promised = Math.max(promised, until);
  }
  return broken;
}

/** Claims that the history does not know, or after which it names somebody else for that time. */
export function missingFromHistory(claims: readonly (Acknowledged & { device: string; mediaElement: string })[], history: readonly Shown[]): string[] {
  const shown = groupBy(history, ({ did }) => did);
  return claims.flatMap((claim) => {
    const { determinedAt, determinedFrom = determinedAt } = claim;
    const before = (shown.get(claim.did) ?? []).filter(({ leasedFrom }) => leasedFrom <= determinedAt);
    const latest = before.reduce((most, { leasedFrom }) => (leasedFrom <= determinedFrom ? Math.max(most, leasedFrom) : most), 0);
    const leases = [...groupBy(before, ({ leasedFrom }) => String(leasedFrom)).values()].filter(([first]) => first !== undefined && first.leasedFrom >= latest);
    const tells = (lease: readonly Shown[]) =>
      lease.some(({ device, mediaElement }) => device === claim.device && mediaElement === claim.mediaElement) && lease.every(({ prospect }) => prospect === claim.prospect);
    if (leases.some(tells)) return [];
    return [`the history does not tell that ${claim.did} was shown to ${claim.prospect} with ${claim.mediaElement} at ${claim.determinedAt}`];
  });
}

function holderOf({ pool, prospect }: { readonly pool: string; readonly prospect: string }): string {
  return `${prospect} ${pool}`;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf);
}
