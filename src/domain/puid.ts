import { createHmac, timingSafeEqual } from "node:crypto";
import type { Uuid } from "./types.ts";

/**
 * Signed identifiers, kept by browsers and apps: the visitor token carries a prospect's PUID, the device token a device's id, each a
 * UUID with the time it was made at and 74 random bits (RFC 9562, version 7). Whoever has a token can act as that visitor or device, so
 * tokens are unguessable, and they say nothing about a person.
 *
 * Form: `v1.` + base64url of 33 bytes: key id (1) | UUID (16) | the first 16 bytes of
 * HMAC-SHA-256(secret, "dialplane/v1/" + kind + key id + UUID). 128 bits are the least that RFC 2104 section 5 lets one truncate to.
 */
export type TokenKind = "visitor" | "device";

export interface SigningKey {
  /** 0 to 255, part of every token, so that old tokens stay valid while keys rotate. */
  readonly id: number;
  /** At least 32 characters. */
  readonly secret: string;
}

/** What a token of ours says. */
export interface TokenContent {
  readonly id: Uuid;
  /** It was signed by the key that signs today: no need for a new one. */
  readonly isCurrent: boolean;
}

export interface TokenSigner {
  sign(kind: TokenKind, id: Uuid): string;
  /** The id inside, or null for anything that this service did not sign as that kind. Never throws. */
  verify(kind: TokenKind, token: string | null | undefined): Uuid | null;
  /** As `verify`. */
  read(kind: TokenKind, token: string | null | undefined): TokenContent | null;
}

const prefix = "v1.";
const uuidBytes = 16;
const macBytes = 16;
const tokenBytes = 1 + uuidBytes + macBytes;
const tokenForm = /^v1\.[A-Za-z0-9_-]{44}$/;

/** @param keys the first one signs, all of them verify. */
export function createTokenSigner(keys: readonly [SigningKey, ...SigningKey[]]): TokenSigner {
  const [signing] = keys;
  const secrets = new Map(keys.map((key) => [key.id, key.secret]));
  const read = (kind: TokenKind, token: string | null | undefined): TokenContent | null => {
    if (typeof token !== "string" || !tokenForm.test(token)) return null;
    const bytes = Buffer.from(token.slice(prefix.length), "base64url");
    const keyId = bytes[0];
    const secret = keyId === undefined ? undefined : secrets.get(keyId);
    if (secret === undefined || bytes.length !== tokenBytes) return null;
    const body = bytes.subarray(0, 1 + uuidBytes);
    if (!timingSafeEqual(mac(kind, secret, body), bytes.subarray(1 + uuidBytes))) return null;
    return { id: toUuid(bytes.subarray(1, 1 + uuidBytes)), isCurrent: keyId === signing.id };
  };
  return {
    sign: (kind, id) => prefix + seal(kind, signing, id).toString("base64url"),
    verify: (kind, token) => read(kind, token)?.id ?? null,
    read,
  };
}

function seal(kind: TokenKind, key: SigningKey, id: Uuid): Buffer {
  const body = Buffer.concat([Buffer.of(key.id), Buffer.from(id.replaceAll("-", ""), "hex")]);
  if (body.length !== 1 + uuidBytes) throw new Error(`not a UUID: ${id}`);
  return Buffer.concat([body, mac(kind, key.secret, body)]);
}

function mac(kind: TokenKind, secret: string, body: Buffer): Buffer {
  return createHmac("sha256", secret).update(`dialplane/v1/${kind}`).update(body).digest().subarray(0, macBytes);
}

function toUuid(bytes: Buffer): Uuid {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
