import type { StepResult } from "./evidence.ts";
import { CLAIM } from "./evidence.ts";

/** Progress and evidence go to `out`; with --json the one machine-readable line comes last. */
export interface Printer {
  say(text: string): void;
  step(result: StepResult): void;
  verdict(results: readonly StepResult[]): void;
}

export function printer(out: Pick<NodeJS.WritableStream, "write">): Printer {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`;
  return {
    say: (text) => void out.write(`${seconds()}  ${text}\n`),
    step: ({ step, claim, ok, evidence }) => void out.write(`${seconds()}  ${ok ? "ok  " : "FAIL"} ${step}  ${claim}\n${" ".repeat(16)}${evidence}\n`),
    verdict: (results) => {
      const held = results.filter(({ ok }) => ok).length;
      out.write(`${seconds()}  claim walk: ${held} of ${CLAIM.length} steps hold\n`);
    },
  };
}

export function isWalked(results: readonly StepResult[]): boolean {
  return results.length === CLAIM.length && results.every(({ ok }) => ok);
}
