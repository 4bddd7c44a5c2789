import { z } from "zod";

/** All faults of the environment at once, so that nobody fixes them one restart at a time. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the configuration is not usable:\n${problems.map((p) => `  ${p}`).join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** What a program reads, a line each, for people: the name, and what it is when it isn't given. */
export function describeEnv(environment: z.ZodObject): string {
  const names = Object.entries<z.core.$ZodType>(environment.shape);
  const width = Math.max(...names.map(([name]) => name.length));
  return names.map(([name, field]) => `  ${name.padEnd(width)}  ${presetOf(field)}`.trimEnd()).join("\n");
}

function presetOf(field: z.core.$ZodType): string {
  const { success, data } = z.safeParse(field, undefined);
  if (!success) return "required";
  if (Array.isArray(data)) return data.join(",");
  return typeof data === "string" || typeof data === "number" ? String(data) : "";
}

/**
 * Reads an app's whole configuration from the environment. Empty strings count as unset.
 * @throws ConfigError naming every variable that is out of format and what is allowed.
 */
export function readEnv<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.infer<Schema> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
}
