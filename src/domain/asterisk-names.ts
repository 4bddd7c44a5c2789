import { createHash } from "node:crypto";

import { parseE164 } from "./e164.ts";
import { ExpectedError } from "./errors.ts";
import { parseIpAddress } from "./ip-address.ts";
import type { TrunkEntry } from "./ports.ts";
import type { ResourceKey } from "./types.ts";

/** The ARI application (Stasis) that the router registers. */
export const STASIS_APP = "dialplane";

/** Where every call of a trunk enters the dialplan. */
export const INBOUND_CONTEXT = "dialplane-inbound";

/** Calls to numbers that no pool owns: refused with 404 and counted. */
export const UNKNOWN_CONTEXT = "dialplane-unknown";

/** Maps the result of Dial() to the cause that the caller's leg is ended with. */
export const END_CONTEXT = "dialplane-end";

/** A channel is parked here for some milliseconds while a revision is verified; nothing else leads here. */
export const VERIFY_CONTEXT = "dialplane-verify";
/** Never rendered: where a far end's redirection (302) would be looked up, so that none is followed. */
export const NO_FORWARD_CONTEXT = "dialplane-no-forward";

/** Hang-up handler of calls that the dialplan serves by itself: writes down what became of them. */
export const SERVED_CONTEXT = "dialplane-served";

/** Instead of the result of a Dial(): the pool refuses the caller. */
export const BLOCKED_STATUS = "BLOCKED";

/** Global variable with the path of the file for them; where Asterisk's configuration sets none, nothing is written down. */
export const SERVED_FILE_VARIABLE = "DIALPLANE_SERVED_FILE";

/** That file, below Asterisk's configuration folder. */
export const SERVED_FILE = "served/calls.log";

/** Asterisk's security log, below its configuration folder: requests from addresses of no trunk. */
export const STRANGERS_FILE = "strangers.log";

/** Global variable with the SHA-256 of the dialplan that runs. */
export const REVISION_VARIABLE = "DIALPLANE_REVISION";

/** Global variable that counts calls to unknown DIDs; 0 or unset after each reload, as a counter after a restart. */
export const UNKNOWN_CALLS_VARIABLE = "DIALPLANE_UNKNOWN_CALLS";

/** Global variable: how many of those routers have counted. */
export const COUNTED_CALLS_VARIABLE = "DIALPLANE_UNKNOWN_CALLS_COUNTED";

/** Address of record that carries the hash of the PJSIP configuration that runs; nothing can register to it. */
export const PJSIP_REVISION_AOR = "dialplane-revision";

const KEY = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
/** Endpoint names are typed by people into Asterisk's console and cut there beyond 40 characters. */
const MAX_NAME = 40;
const FALLBACK = "fallback";
const HASH_DIGITS = 10;
/** Nothing but the hash tells lists apart. */
const LIST_HASH_DIGITS = 32;
/** Endpoints of each kind through which a trunk is called, see `outgoingEndpoints`. */
const EACH = ["", "2", "3", "4"] as const;

/** The PJSIP id of a trunk's incoming endpoint, aor, auth, identify and registration: at most 40 characters of `[a-z0-9-]`, the same in every pod. */
export function trunkEndpoint(key: ResourceKey): string {
  return readableName("trunk", key);
}

/**
 * Through which a trunk is called. Not the endpoint that its calls come in by: at each change of a channel Asterisk looks at all channels of
 * its endpoint, to know whether that "device" is in use, and the fewer there are in each, the less work it is.
 *
 * @param endpoint of `trunkEndpoint`
 */
export function outgoingEndpoints(endpoint: string): readonly string[] {
  return EACH.map((number) => `${endpoint}-out${number}`);
}

/**
 * Those of a trunk with authentication through which SIP URIs of other hosts are called. They know no password: an endpoint that has one
 * answers the challenge of whoever it calls (RFC 3261 section 22.2), and from the answer the password can be guessed.
 *
 * @param endpoint of `trunkEndpoint`
 */
export function passwordlessEndpoints(endpoint: string): readonly [string, ...string[]] {
  const [first, ...rest] = EACH;
  return [`${endpoint}-uri${first}`, ...rest.map((number) => `${endpoint}-uri${number}`)];
}

/**
 * The one that a destination is called through: any of its kind, and the same for all legs of a call.
 *
 * @param destination an E.164 number or a SIP URI
 * @param call a UUID; the dialplan, which has none, dials through the first, whatever the version of what wrote it
 */
export function outgoingEndpoint({ key, spec }: Pick<TrunkEntry, "key" | "spec">, destination: string, call = "0"): string {
  const endpoint = trunkEndpoint(key);
  const isForeign = spec.authentication !== undefined && (hostOf(destination) ?? spec.host).toLowerCase() !== spec.host.toLowerCase();
  const endpoints = isForeign ? passwordlessEndpoints(endpoint) : outgoingEndpoints(endpoint);
  return endpoints[Number.parseInt(call.slice(0, 8), 16) % EACH.length] ?? endpoint;
}

/** Of a SIP URI, an IPv6 address without brackets; undefined for anything else. */
export function hostOf(uri: string): string | undefined {
  const { ipv6, host } = SIP_URI.exec(uri.slice(0, 500))?.groups ?? {};
  return ipv6 ?? host;
}

/** The context that a pool's calls go through: it offers them to the router and then falls back. */
export function poolContext(key: ResourceKey): string {
  return `dialplane-${readableName("pool", key)}`;
}

/**
 * The context that dials the pool's default destination. The router hands a call back with
 * `POST /channels/{id}/continue?context=...&extension=<digits of the DID, without "+">&priority=1`.
 */
export function fallbackContext(key: ResourceKey): string {
  return `dialplane-${readableName(FALLBACK, key)}`;
}

/** The context whose extensions are the callers that pools with this list refuse. @param patterns their digits without "+", in one order */
export function blockedContext(patterns: readonly string[]): string {
  return `dialplane-blocked-${createHash("sha256").update(patterns.join(",")).digest("hex").slice(0, LIST_HASH_DIGITS)}`;
}

/** A caller who is there is the dialplan's, whoever is told of the channel. */
export function isFallbackContext(context: string): boolean {
  return context.startsWith(`dialplane-${FALLBACK}-`);
}

/** @throws ExpectedError InvalidInput when `key` is not `namespace/name` of Kubernetes */
export function assertResourceKey(key: string): ResourceKey {
  if (key.length > 400 || !KEY.test(key)) {
    throw new ExpectedError("InvalidInput", `${JSON.stringify(key.slice(0, 100))} must be namespace/name in lower case`, { field: "key" });
  }
  return key;
}

function readableName(prefix: string, key: ResourceKey): string {
  const hash = createHash("sha256").update(assertResourceKey(key)).digest("hex").slice(0, HASH_DIGITS);
  const readable = key.replace(/[^a-z0-9]+/g, "-").slice(0, MAX_NAME - prefix.length - HASH_DIGITS - 2);
  return `${prefix}-${readable.replace(/-$/, "")}-${hash}`;
}

/**
 * What Dial() and `POST /channels?endpoint=` call: `PJSIP/+12025550199@<endpoint>` or `PJSIP/<endpoint>/sip:reception@pbx.example`.
 *
 * @param destination an E.164 number or a SIP URI
 * @param endpoint of `outgoingEndpoint`
 * @throws ExpectedError InvalidInput when the destination is neither
 */
export function dialString(destination: string, endpoint: string): string {
  if (!/^[a-z0-9-]{1,45}$/.test(endpoint)) {
    throw new ExpectedError("InvalidInput", "endpoint must be 1 to 45 lower-case letters, digits and dashes", { field: "endpoint" });
  }
  const number = parseE164(destination);
  return number === null ? `PJSIP/${endpoint}/${overTls(assertSipUri(destination))}` : `PJSIP/${number}@${endpoint}`;
}

/** A `sips:` URI wants a Contact that is one (RFC 3261 section 8.1.1.8). Asterisk writes `sip:` there, and whoever is strict answers 480: called is the same host, over TLS. */
function overTls(uri: string): string {
  return uri.startsWith("sips:") ? `${uri.replace(/^sips:/, "sip:").replace(/;transport=.*/, "")};transport=tls` : uri;
}

/** RFC 3261 section 19.1, restricted: no password, headers, escapes or parameters other than transport. */
const SIP_URI =
  /^sips?:(?:(?<user>[A-Za-z0-9._+-]{1,64})@)?(?:\[(?<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?<host>[A-Za-z0-9.-]{1,253}))(?::(?<port>[0-9]{1,5}))?(?:;transport=(?:udp|tcp|tls))?$/;

/** @throws ExpectedError InvalidInput */
export function assertSipUri(uri: string): string {
  const { ipv6, host, port } = SIP_URI.exec(uri.slice(0, 500))?.groups ?? {};
  const reachable = ipv6 === undefined ? host !== undefined && isHost(host) : parseIpAddress(ipv6) !== null;
  if (!reachable || !isPort(Number(port ?? "5060"))) {
    throw new ExpectedError(
      "InvalidInput",
      "must be a number in E.164 form or sip:user@host:port with an optional ;transport= (udp, tcp or tls) and nothing else",
      { field: "destination" },
    );
  }
  return uri;
}

/** A host as it stands in a URI: an IPv6 address gets its brackets. @throws ExpectedError InvalidInput */
export function uriHost(host: string): string {
  if (host.includes(":") && parseIpAddress(host) !== null) {
    return `[${host}]`;
  }
  if (!isHost(host)) {
    throw new ExpectedError("InvalidInput", "must be a host name or an IP address", { field: "spec.host" });
  }
  return host;
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A host name (RFC 1123) or an IPv4 address; what looks like one must be one. */
function isHost(host: string): boolean {
  if (/^[0-9.]+$/.test(host)) return parseIpAddress(host) !== null;
  const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
  return host.length <= 253 && host.split(".").every((part) => label.test(part));
}
