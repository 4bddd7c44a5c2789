import { createHash, randomUUID } from "node:crypto";
import { ExpectedError, messageOf } from "../../domain/errors.ts";
import { readIfThere, replaceFile } from "../../shared/files.ts";

/** What the API server would keep of an object and a file on disk does not have. */
export interface Identity {
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly generation: number;
  readonly specHash: string;
}

/**
 * Gives every declared object a uid, a creation time and a generation that survive restarts, in one JSON file.
 * Like the API server: a deleted and re-created object is another object; the generation counts changes of `spec`.
 */
export class IdentityRegister {
  readonly #file: string;
  #known: Map<string, Identity>;

  private constructor(file: string, known: Map<string, Identity>) {
    this.#file = file;
    this.#known = known;
  }

  /**
   * A missing file starts an empty register. A damaged one does not: all objects would be others than those in the database, which would lose
   * what it knows of them.
   * @throws ExpectedError InvalidInput naming the file
   */
  static async open(file: string): Promise<IdentityRegister> {
    const text = await readIfThere(file);
    if (text === null) return new IdentityRegister(file, new Map());
    try {
      return new IdentityRegister(file, new Map(Object.entries(JSON.parse(text) as Record<string, Identity>)));
    } catch (error) {
      throw new ExpectedError("InvalidInput", `${file} must be the register of identities that this program wrote: ${messageOf(error)}; put it back from a backup, or remove it to begin with new objects`, { cause: error });
    }
  }

  /**
   * Answers the identity of each object and forgets objects that are gone.
   * @param specs spec by object id (`Kind namespace/name`)
   * @param now time for objects seen for the first time
   */
  async assign(specs: ReadonlyMap<string, unknown>, now: Date): Promise<ReadonlyMap<string, Identity>> {
    const next = new Map([...specs].map(([id, spec]) => [id, nextIdentity(this.#known.get(id), spec, now)] as const));
    const changed = next.size !== this.#known.size || [...next].some(([id, identity]) => this.#known.get(id) !== identity);
    // Nobody hears of what is not on the disk: after a restart it would be another, and the database would lose what it knows of it.
    if (changed) await replaceFile(this.#file, JSON.stringify(Object.fromEntries(next), null, 2));
    this.#known = next;
    return next;
  }
}

function nextIdentity(known: Identity | undefined, spec: unknown, now: Date): Identity {
  const specHash = createHash("sha256").update(JSON.stringify(spec)).digest("hex");
  if (known === undefined) return { uid: randomUUID(), creationTimestamp: now.toISOString(), generation: 1, specHash };
  if (known.specHash === specHash) return known;
  return { ...known, generation: known.generation + 1, specHash };
}
