import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { ExpectedError } from "../domain/errors.ts";

/** The fewest characters that a file may hold; what is made here has 43. A DIALPLANE_API_TOKEN that is given may have 16. */
const shortest = 32;

/**
 * A secret made once and kept beside the data, 0600: what was signed with it, or given to somebody, must outlive a restart.
 * @throws ExpectedError InvalidInput for a file that was cut off: an empty secret is one that everybody knows
 */
export async function keptSecret(file: string): Promise<string> {
  const secret = randomBytes(32).toString("base64url");
  try {
    await writeFile(file, secret, { flag: "wx", mode: 0o600 });
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return checked((await readFile(file, "utf8")).trim(), file);
  }
}

function checked(secret: string, file: string): string {
  if (secret.length >= shortest) return secret;
  throw new ExpectedError("InvalidInput", `${file} must hold a secret of at least ${shortest} characters; another is made when the file is removed`, { field: file });
}
