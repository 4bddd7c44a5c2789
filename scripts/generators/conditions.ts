import { readFile } from "node:fs/promises";

const SOURCE = new URL("../../src/domain/conditions.ts", import.meta.url);

const HEAD = `<!-- Made by npm run generate from src/domain/conditions.ts. DO NOT EDIT. -->
# Conditions

What is observed of a resource, in \`status.conditions\`, as Kubernetes' own conditions are meant. \`Ready\` takes over status, reason and message of the first other one that is not True. The message
says which field, object or pod it is about. A Warning Event with the same reason tells of what becomes false and stays so for three seconds.
`;

/** Types and reasons are API: what the code says of each. */
export async function generate(): Promise<Record<string, string>> {
  const source = await readFile(SOURCE, "utf8");
  const types = membersOf(source, "ConditionType").map(({ name, comment }) => `| \`${name}\` | ${comment} |`);
  const reasons = membersOf(source, "ConditionReason").map(({ name, comment }) => {
    const [when = "", ...meaning] = comment.split(": ");
    return `| \`${name}\` | ${when} | ${meaning.join(": ")} |`;
  });
  const parts = [HEAD, "| type | says that |", "|---|---|", ...types, "", "## Reasons", "", "| reason | where | meaning |", "|---|---|---|", ...reasons, ""];
  return { "docs/conditions.md": parts.join("\n") };
}

function membersOf(source: string, name: string): readonly { readonly name: string; readonly comment: string }[] {
  const body = new RegExp(`export const ${name} = \\{\\n([\\s\\S]*?)\\n\\} as const;`).exec(source)?.[1] ?? "";
  const members = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*(\w+): "\w+",/g)].map(([, comment = "", member = ""]) => ({ name: member, comment: textOf(comment) }));
  if (members.length === 0) throw new Error(`${name} was not found in conditions.ts`);
  return members;
}

function textOf(comment: string): string {
  return comment.replace(/\n\s*\*/g, " ").replace(/\s+/g, " ").trim().replace(/\.$/, "");
}
