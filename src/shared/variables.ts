import { z } from "zod";
import { LOG_LEVELS } from "./logger.ts";

/** Variables that more than one program reads. */

export const DATABASE_URL_FORM = "must be postgres://user:password@host:port/database with one host, and # / ? @ of the password percent-encoded";

/** Asked here and not by the driver: what it throws for a password with a # in it names nothing. */
export const databaseUrl = z
  .string({ error: `is required and ${DATABASE_URL_FORM}` })
  .refine(namesOneDatabase, DATABASE_URL_FORM);

/** A folder with a socket is a host too; it stands percent-encoded in the host's place, or in `?host=`. */
function namesOneDatabase(text: string): boolean {
  const url = /^postgres(ql)?:\/\//.test(text) ? URL.parse(text) : null;
  if (url === null) return false;
  const host = url.searchParams.get("host") ?? url.hostname;
  return host !== "" && !/,|%2c/i.test(host) && url.pathname.length > 1;
}

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
