import type { RoutingRuleSpec } from "./api.generated.ts";
import { hostOf } from "./asterisk-names.ts";
import type { TrunkEntry } from "./ports.ts";
import type { ResourceKey } from "./types.ts";

/** Which SIP URIs can be called through which trunk: Asterisk calls everybody over the transport and the family of addresses of the trunk's endpoint. */

/** A SIP URI of an object, and the trunks that it is called through. */
export interface DialledUri {
  /** Path of the field. */
  readonly field: string;
  readonly uri: string;
  readonly trunks: readonly ResourceKey[];
}

/** @param poolTrunks those of the pools that the rule is for, for destinations that name none */
export function urisOfRule({ destinations }: RoutingRuleSpec, namespace: string, poolTrunks: readonly ResourceKey[]): readonly DialledUri[] {
  return destinations.flatMap(({ sipUri, trunkRef }, index) => {
    const trunks = trunkRef === undefined ? poolTrunks : [`${namespace}/${trunkRef.name}`];
    return sipUri === undefined ? [] : [{ field: `spec.destinations[${index}].sipUri`, uri: sipUri, trunks }];
  });
}

/** A sentence for each URI that a trunk of it can't call: whoever is dialled so never rings. */
export function unreachableUris(uris: readonly DialledUri[], trunks: ReadonlyMap<ResourceKey, Pick<TrunkEntry, "key" | "spec">>): readonly string[] {
  return uris.flatMap(({ field, uri, trunks: keys }) => {
    const misfits = keys.map((key) => trunks.get(key)).flatMap((trunk) => (trunk === undefined ? [] : misfitOf(uri, trunk)));
    return misfits.length === 0 ? [] : [`${field}: can't be reached: ${misfits.join("; ")}`];
  });
}

function misfitOf(uri: string, { key, spec }: Pick<TrunkEntry, "key" | "spec">): readonly string[] {
  // Without either, the trunk's transport is used; `sips:` means TLS, also over the "tcp" of RFC 3261.
  const wanted = uri.startsWith("sips:") ? "TLS" : (/;transport=(\w+)$/.exec(uri)?.[1]?.toUpperCase() ?? spec.transport);
  const isIpv6 = (host: string) => host.includes(":");
  const [family, ofTrunk] = [hostOf(uri) ?? "", spec.host].map((host) => (isIpv6(host) ? "IPv6" : "IPv4"));
  return [
    ...(wanted === spec.transport ? [] : [`SipTrunk ${key} calls over ${spec.transport}, not ${wanted}`]),
    ...(family === ofTrunk ? [] : [`SipTrunk ${key} calls over ${ofTrunk}, not ${family}`]),
  ];
}
