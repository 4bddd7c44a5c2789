import { randomUUIDv7 } from "node:crypto";
import type { TokenContent, TokenSigner } from "../domain/puid.ts";
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

export interface Met {
  /** What the tokens say, or a new one. The claim, and the log-in, know which prospect the device belongs to now, and store both where they are new. */
  readonly claimed: Identity;
  /** No device token of ours came: nobody who was here before, or nobody who can prove it. */
  readonly isNew: boolean;
  /** What the client is to keep. */
  readonly tokens: (prospect: Uuid) => IdentityTokens;
}

/** What a client keeps. */
export interface IdentityTokens {
  readonly visitor: string;
  readonly device: string;
}

/** What is answered where nothing was to be remembered. */
export const nobody = { visitor: null, device: null };

/** Tokens from outside to ids and back. Forged, foreign and missing tokens are all the same: a new visitor, never an error. */
export class Identities {
  readonly #tokens: TokenSigner;

  constructor(tokens: TokenSigner) {
    this.#tokens = tokens;
  }

  /** Tokens that still say the same are given back as they are: signing costs more than looking. */
  meet(given: GivenTokens): Met {
    const visitor = this.#tokens.read("visitor", given.visitor);
    const device = this.#tokens.read("device", given.device);
    const claimed = { prospect: visitor?.id ?? randomUUIDv7(), device: device?.id ?? randomUUIDv7() };
    const isKept = (content: TokenContent | null, id: Uuid) => content !== null && content.isCurrent && content.id === id;
    const tokens = (prospect: Uuid) => ({
      visitor: isKept(visitor, prospect) && given.visitor ? given.visitor : this.#tokens.sign("visitor", prospect),
      device: isKept(device, claimed.device) && given.device ? given.device : this.#tokens.sign("device", claimed.device),
    });
    return { claimed, isNew: device === null, tokens };
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
