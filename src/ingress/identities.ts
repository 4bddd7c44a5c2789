import { randomUUID } from "node:crypto";
import { Coalescer } from "../domain/coalescer.ts";
import type { Prospects } from "../domain/ports.ts";
import type { TokenSigner } from "../domain/puid.ts";
import type { Uuid } from "../domain/types.ts";
import { HttpProblem } from "./problem.ts";

/** What a client sends about itself; strings from outside. */
export interface GivenTokens {
  readonly visitor?: string | null | undefined;
  readonly device?: string | null | undefined;
}

export interface Identity {
  readonly prospect: Uuid;
  readonly device: Uuid;
}

/** What a client keeps. */
export interface IdentityTokens {
  readonly visitor: string;
  readonly device: string;
}

/** Tokens from outside to ids and back. Forged, foreign and missing tokens are all the same: a new visitor, never an error. */
export class Identities {
  readonly #tokens: TokenSigner;
  readonly #touch: Coalescer<Identity, Uuid>;

  constructor(tokens: TokenSigner, prospects: Prospects, limits: { readonly maxBatch: number; readonly maxWaiting: number }) {
    this.#tokens = tokens;
    this.#touch = new Coalescer((devices) => prospects.touch(devices), limits);
  }

  /** The prospect is the one that the device belongs to now, which another device's log-in may have changed. */
  async resolve(given: GivenTokens): Promise<Identity> {
    const claimed = {
      prospect: this.#tokens.verify("visitor", given.visitor) ?? randomUUID(),
      device: this.#tokens.verify("device", given.device) ?? randomUUID(),
    };
    return { prospect: await this.#touch.add(claimed), device: claimed.device };
  }

  /** @throws HttpProblem 400 where only an existing device makes sense. */
  device(given: GivenTokens): Uuid {
    const device = this.#tokens.verify("device", given.device);
    if (device !== null) return device;
    throw new HttpProblem(400, "The request is not valid", { faults: [{ field: "device", message: "must be a device token that this service made" }] });
  }

  seal(identity: Identity): IdentityTokens {
    return { visitor: this.#tokens.sign("visitor", identity.prospect), device: this.#tokens.sign("device", identity.device) };
  }
}
