export interface Outcome {
  readonly fault: string;
  /** What was not known or not done in the end; nothing when all is well. */
  readonly lost: readonly string[];
  /** From the end of the fault, or from its beginning where it ends by itself, until everything was right again. */
  readonly rightAfterMs: number;
  readonly how: string;
}

/** As docs/benchmarks.md has it. */
export function faultTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ fault, lost, rightAfterMs, how }) => {
    return `| ${fault} | ${lost.length === 0 ? "nothing" : lost.join("; ")} | ${Math.round(rightAfterMs)} ms | ${how} |`;
  });
  return ["| fault | lost | right again after | how |", "|---|---|---|---|", ...rows, ""].join("\n");
}
