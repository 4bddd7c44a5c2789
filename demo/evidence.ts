import { setTimeout as sleep } from "node:timers/promises";

/** One step of the claim (US 9,292,861, claim 1) and what shows that it happened. */
export interface StepResult {
  readonly step: number;
  readonly claim: string;
  readonly ok: boolean;
  readonly evidence: string;
}

/** The words of the claim, shortened. */
export const CLAIM: readonly string[] = [
  "a telephony interface is coupled to the telephone network",
  "a number of the pool is shown to prospect A with media element 1",
  "its association with A's persistent unique identifier is stored",
  "prospect B is shown another number of the pool for the same media element, stored likewise",
  "before media element 2 is shown, it is determined whether A's second device is online",
  "A's same number is shown on the second device with media element 2",
  "a call from A to that number is received",
  "a second call is originated to a third number chosen from the received call",
  "the two calls are bridged",
];

/** What a step could not show. The walk goes on: later steps may still hold. */
export class NotShown extends Error {}

export function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new NotShown(otherwise);
}

/** Runs one step; whatever it throws becomes its evidence. */
export async function step(number: number, show: () => Promise<string>): Promise<StepResult> {
  const claim = CLAIM[number - 1] ?? "";
  try {
    return { step: number, claim, ok: true, evidence: await show() };
  } catch (error) {
    return { step: number, claim, ok: false, evidence: error instanceof Error ? error.message : String(error) };
  }
}

/** Polls until `look` finds something. @throws NotShown after `seconds`, saying what was waited for */
export async function eventually<T>(what: string, look: () => Promise<T | null | undefined | false>, seconds = 10): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new NotShown(`waited ${seconds} s in vain for ${what}`);
    await sleep(50);
  }
}
