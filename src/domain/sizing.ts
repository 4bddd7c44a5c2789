/**
 * How many numbers a pool needs. A number is occupied from the visit to the end of its cool-down; visitors who find none free
 * are lost, not queued: Erlang's loss formula (Erlang B, ITU-T E.520).
 */

/** The share of visitors who may find no number free when nothing else is said. */
export const TARGET_BLOCKING = 0.01;
/** `status.recommendedSize` is an int32. */
const MOST = 2_147_483_647;

export interface Holding {
  /** Mean seconds from the assignment to the last sign of life. */
  readonly visitSeconds: number;
  readonly leaseSeconds: number;
  readonly cooldownSeconds: number;
}

/** Mean numbers occupied at once, in erlang, were there always one free (Little's law). */
export function offeredLoad(arrivalsPerHour: number, holding: Holding): number {
  const holdingSeconds = holding.visitSeconds + holding.leaseSeconds + holding.cooldownSeconds;
  return (arrivalsPerHour * holdingSeconds) / 3600;
}

/**
 * Probability that all `numbers` are occupied: 1/B = 1 + n/A + n(n-1)/A² + ... All terms are positive, so that no digits are lost; those that
 * count are some thousands for a million numbers. Where they overflow, the probability is 0.
 * @param load erlang
 */
export function erlangB(load: number, numbers: number): number {
  if (load <= 0) return numbers === 0 ? 1 : 0;
  let [term, sum] = [1, 1];
  for (let n = numbers; n > 0 && term > sum * Number.EPSILON; n -= 1) {
    term *= n / load;
    sum += term;
  }
  return 1 / sum;
}

/**
 * The least pool that loses at most `blocking` of its visitors; 1 for a pool that is hardly used. By the recurrence
 * B(n) = A·B(n-1) / (n + A·B(n-1)), which has no factorials, so it neither overflows nor loses digits. Linear in the result: a million numbers cost a few milliseconds.
 */
export function numbersNeeded(load: number, blocking: number = TARGET_BLOCKING): number {
  if (!(blocking > 0)) throw new RangeError(`blocking must be above 0, not ${blocking}`);
  if (!(load > 0)) return 1;
  let lost = 1;
  let n = 0;
  do {
    n += 1;
    lost = nextBlocking(load, n, lost);
  } while (lost > blocking && n < MOST);
  return n;
}

function nextBlocking(load: number, n: number, previous: number): number {
  return (load * previous) / (n + load * previous);
}

/** What was measured of a pool. */
export interface Demand {
  /** Leases begun: visitors who found none free are not among them. */
  readonly arrivalsPerHour: number;
  /** Mean, from the assignment to the last sign of life. */
  readonly visitSeconds: number;
}

/**
 * The load that was offered when `carried` erlang were carried by so many numbers: those who found none free are added. A pool that
 * was full all the time tells only that it was too small: then twice its size is taken, and what is measured next tells more.
 */
export function offeredFromCarried(carried: number, numbers: number): number {
  let [low, high] = [carried, Math.max(2 * numbers, carried)];
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2;
    if (middle * (1 - erlangB(middle, numbers)) < carried) low = middle;
    else high = middle;
  }
  return high;
}

/** `status.recommendedSize` of a pool of so many numbers: enough for its busiest hour at 1 % blocking; null until something was measured. */
export function sizeForDemand(demand: Demand | undefined, assignment: Omit<Holding, "visitSeconds">, numbers: number): number | null {
  if (demand === undefined || numbers === 0) return null;
  const { leaseSeconds, cooldownSeconds } = assignment;
  const carried = offeredLoad(demand.arrivalsPerHour, { visitSeconds: demand.visitSeconds, leaseSeconds, cooldownSeconds });
  return numbersNeeded(offeredFromCarried(carried, numbers));
}
