import { z } from "zod";
import { LOG_LEVELS } from "./logger.ts";

/** Variables that more than one program reads. */

export const DATABASE_URL_FORM = "must be postgres://user:password@host:port/database with one host, and # / ? @ of the password percent-encoded";

/** Asked here and not by the driver: what it throws for a password with a # in it names nothing. */
export const databaseUrl = z
  .string({ error: `is required and ${DATABASE_URL_FORM}` })
  .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text), DATABASE_URL_FORM);

export const logLevel = z.enum(LOG_LEVELS, "must be debug, info, warn, error or silent").default("info");

/** Names, networks or tokens with commas between; spaces around them don't count, nor does what is empty. */
export function commaSeparated(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/** In decimal digits. */
export function whole(least: number, most: number, preset: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, error)
    .transform(Number)
    .pipe(z.number().min(least, error).max(most, error))
    .default(preset);
}
