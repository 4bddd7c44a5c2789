export interface DocumentedConstant {
  readonly name: string;
  /** What its comment says, on one line and without the full stop. */
  readonly comment: string;
}

/** The members of `export const NAME = { ... } as const` in a source text, in their order. */
export function constantsOf(source: string, name: string): readonly DocumentedConstant[] {
  const body = new RegExp(`export const ${name} = \\{\\n([\\s\\S]*?)\\n\\} as const;`).exec(source)?.[1] ?? "";
  const constants = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*(\w+): "\w+",/g)].map(([, comment = "", constant = ""]) => ({ name: constant, comment: textOf(comment) }));
  if (constants.length === 0) throw new Error(`${name} was not found`);
  return constants;
}

/** A row of a table: its name, and of its comment what is before the first colon and what is behind it. */
export function reasonRow({ name, comment }: DocumentedConstant): string {
  const [where = "", ...meaning] = comment.split(": ");
  return `| \`${name}\` | ${where} | ${meaning.join(": ")} |`;
}

function textOf(comment: string): string {
  return comment.replace(/\n\s*\*/g, " ").replace(/\s+/g, " ").trim().replace(/\.$/, "");
}
