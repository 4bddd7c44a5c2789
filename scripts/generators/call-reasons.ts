import { readFile } from "node:fs/promises";

import { constantsOf, reasonRow } from "../lib/documented-constants.ts";

const SOURCE = new URL("../../src/domain/call-reasons.ts", import.meta.url);

const HEAD = `<!-- Made by npm run generate from src/domain/call-reasons.ts. DO NOT EDIT. -->
# Reasons in call records

Why a call went where it went: \`why\` of a call record, and what \`dialplane explain\` says. Each line has a reason and a message with the values that decided it; of a rule it names the rule and says whether it
matched. Records that other versions of Dialplane wrote may have other reasons.

| reason | said of, or by | meaning |
|---|---|---|
`;

/** Reasons are API: what the code says of each. */
export async function generate(): Promise<Record<string, string>> {
  const reasons = constantsOf(await readFile(SOURCE, "utf8"), "CallReason").map(reasonRow);
  return { "docs/call-reasons.md": `${HEAD}${reasons.join("\n")}\n` };
}
