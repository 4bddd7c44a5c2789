import { readFile } from "node:fs/promises";

import { constantsOf, reasonRow } from "../lib/documented-constants.ts";

const SOURCE = new URL("../../src/domain/conditions.ts", import.meta.url);

const HEAD = `<!-- Made by npm run generate from src/domain/conditions.ts. DO NOT EDIT. -->
# Conditions

What is observed of a resource, in \`status.conditions\`, as Kubernetes' own conditions are meant.

- \`Ready\` takes over status, reason and message of the first other one that is not True.
- The message says which field, object or pod it is about.
- A Warning Event with the same reason tells of what becomes false and stays so for three seconds.
`;

/** Types and reasons are API: what the code says of each. */
export async function generate(): Promise<Record<string, string>> {
  const source = await readFile(SOURCE, "utf8");
  const types = constantsOf(source, "ConditionType").map(({ name, comment }) => `| \`${name}\` | ${comment} |`);
  const reasons = constantsOf(source, "ConditionReason").map(reasonRow);
  const parts = [HEAD, "| type | says that |", "|---|---|", ...types, "", "## Reasons", "", "| reason | where | meaning |", "|---|---|---|", ...reasons, ""];
  return { "docs/conditions.md": parts.join("\n") };
}
