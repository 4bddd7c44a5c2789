import type { SipTrunkSpec } from "../api.generated.ts";
import { parseCidr } from "../ip-address.ts";
import { networkText } from "../sources.ts";
import { warningAt, type Finding } from "./finding.ts";
import { impossibleNumber } from "./possible-number.ts";

/** What schema and CEL can't know of a trunk. */
export function sipTrunkFindings(spec: SipTrunkSpec): Finding[] {
  return [
    ...(spec.sourceAddresses ?? []).flatMap((network, index) => networkFindings(network, index)),
    ...encryptionFindings(spec),
    ...impossibleNumber(spec.callerId.fixed?.number, ["spec", "callerId", "fixed", "number"]),
  ];
}

function networkFindings(network: string, index: number): Finding[] {
  const parsed = parseCidr(network);
  if (parsed === null || !networkText(parsed).endsWith("/0")) return [];
  return [warningAt(["spec", "sourceAddresses", index], "should not be every address: anybody on the network could place calls through this trunk")];
}

function encryptionFindings(spec: SipTrunkSpec): Finding[] {
  if (spec.mediaEncryption !== "SDES" || spec.transport === "TLS") return [];
  return [warningAt(["spec", "transport"], `should be TLS when \`mediaEncryption\` is SDES: over ${spec.transport} the keys travel in the clear`)];
}
