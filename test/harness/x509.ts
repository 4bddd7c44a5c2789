import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate with its private key, both PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** CN; the API server takes it as the user's name. */
  readonly commonName: string;
  /** O; the API server takes these as the user's groups. */
  readonly organizations?: readonly string[];
  /** IPv4 addresses for which it serves (subjectAltName). */
  readonly addresses?: readonly string[];
  /** Seconds from now until it expires; one hour unless told. */
  readonly lifetime?: number;
}

export interface CertificateAuthority {
  readonly certificate: string;
  issue(subject: Subject): Identity;
}

const TAG = { boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, utf8: 0x0c, utcTime: 0x17, sequence: 0x30, set: 0x31 } as const;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;
/** iPAddress in a GeneralName (RFC 5280, 4.2.1.6). */
const IP_ADDRESS = 0x87;

/** Object identifiers in their DER content bytes (RFC 5280, RFC 5758). */
const OID = {
  commonName: "550403",
  organization: "55040a",
  ecdsaWithSha256: "2a8648ce3d040302",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
} as const;

/** A certificate authority for one test; node:crypto can sign but not make certificates, so the few DER bytes are put together here. */
export function createAuthority(commonName: string): CertificateAuthority {
  const { publicKey, privateKey } = keyPair();
  const authority: Subject = { commonName };
  const own = certificate({ subject: authority, issuer: authority, publicKey, signingKey: privateKey, extensions: authorityExtensions() });
  const issue = (subject: Subject): Identity => {
    const pair = keyPair();
    const issued = certificate({ subject, issuer: authority, publicKey: pair.publicKey, signingKey: privateKey, extensions: leafExtensions(subject) });
    return { certificate: issued, key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  };
  return { certificate: own, issue };
}

function keyPair() {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

interface CertificateParts {
  readonly subject: Subject;
  readonly issuer: Subject;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly extensions: Buffer;
}

/** Certificate of RFC 5280, 4.1. */
function certificate({ subject, issuer, publicKey, signingKey, extensions }: CertificateParts): string {
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const now = Date.now();
  // A minute of the past allows for a clock that was set back.
  const validity = der(TAG.sequence, time(now - 60_000), time(now + (subject.lifetime ?? 3600) * 1000));
  const version3 = der(CONTEXT_0, der(TAG.integer, Buffer.of(2)));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const body = der(TAG.sequence, version3, serialNumber(), algorithm, name(issuer), validity, name(subject), spki, extensions);
  const complete = der(TAG.sequence, body, algorithm, bitString(sign("sha256", body, signingKey)));
  const lines = complete.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function authorityExtensions(): Buffer {
  const isAuthority = der(TAG.sequence, der(TAG.boolean, Buffer.of(0xff)));
  // keyCertSign and cRLSign are bits 5 and 6; one bit of the byte is unused.
  return extensions(extension(OID.basicConstraints, isAuthority), extension(OID.keyUsage, der(TAG.bitString, Buffer.of(1, 0b0000_0110))));
}

function leafExtensions({ addresses = [] }: Subject): Buffer {
  const usage = extension(OID.extendedKeyUsage, der(TAG.sequence, oid(OID.serverAuth), oid(OID.clientAuth)));
  if (addresses.length === 0) return extensions(usage);
  const names = addresses.map((address) => der(IP_ADDRESS, Buffer.from(address.split(".").map(Number))));
  return extensions(usage, extension(OID.subjectAltName, der(TAG.sequence, ...names)));
}

function extensions(...list: Buffer[]): Buffer {
  return der(CONTEXT_3, der(TAG.sequence, ...list));
}

function extension(id: string, value: Buffer): Buffer {
  return der(TAG.sequence, oid(id), der(TAG.octetString, value));
}

function name({ commonName, organizations = [] }: Subject): Buffer {
  const attribute = (id: string, value: string) => der(TAG.set, der(TAG.sequence, oid(id), der(TAG.utf8, Buffer.from(value, "utf8"))));
  return der(TAG.sequence, ...organizations.map((value) => attribute(OID.organization, value)), attribute(OID.commonName, commonName));
}

function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  // Positive, and no leading zero byte: 01 to 7f first.
  bytes.writeUInt8((bytes.readUInt8(0) % 0x7f) + 1, 0);
  return der(TAG.integer, bytes);
}

/** UTCTime, which RFC 5280 demands until 2049, such as 300102030405Z. */
function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().slice(2, 19).replaceAll(/[-:T]/g, "");
  return der(TAG.utcTime, Buffer.from(`${digits}Z`, "ascii"));
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, "hex"));
}

function bitString(content: Buffer): Buffer {
  return der(TAG.bitString, Buffer.of(0), content);
}

/** Tag, length, content (X.690, 8.1). */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body]);
}
