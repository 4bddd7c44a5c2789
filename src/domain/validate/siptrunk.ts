import type { SipTrunkSpec } from "../api.generated.ts";
import { parseCidr, parseIpAddress } from "../ip-address.ts";
import { impossibleNumber } from "./destination.ts";
import { errorAt, warningAt, type Finding } from "./finding.ts";

/** What schema and CEL can't know of a trunk. */
export function sipTrunkFindings(spec: SipTrunkSpec): Finding[] {
  const fixed = spec.callerId.fixed;
  return [
    ...hostFindings(spec.host),
    ...(spec.sourceAddresses ?? []).flatMap((network, index) => networkFindings(network, index)),
    ...encryptionFindings(spec),
    ...(fixed === undefined ? [] : impossibleNumber(fixed.number, ["spec", "callerId", "fixed", "number"])),
  ];
}

/** What looks like an address must be one: 300.1.1.1 would otherwise be looked up as a name, call after call. */
function hostFindings(host: string): Finding[] {
  const looksLikeAddress = host.includes(":") || /^[0-9.]+$/.test(host);
  if (!looksLikeAddress || parseIpAddress(host) !== null) return [];
  return [errorAt(["spec", "host"], `must be a host name or an IP address, but ${host} is neither`)];
}

function networkFindings(network: string, index: number): Finding[] {
  if (parseCidr(network)?.prefixLength !== 0) return [];
  return [warningAt(["spec", "sourceAddresses", index], "should not be every address: anybody on the network could place calls through this trunk")];
}

function encryptionFindings(spec: SipTrunkSpec): Finding[] {
  if (spec.mediaEncryption !== "SDES" || spec.transport === "TLS") return [];
  return [warningAt(["spec", "transport"], `should be TLS when \`mediaEncryption\` is SDES: over ${spec.transport} the keys travel in the clear`)];
}
