import type { SipTrunkSpec } from "../api.generated.ts";
import { uriHost } from "../asterisk-names.ts";
import { parseE164 } from "../e164.ts";
import type { E164, RouteDecision } from "../types.ts";

/** What an outgoing INVITE says about the caller. Numbers only, and only numbers that were parsed: no text of a caller gets here. */
export interface OutgoingIdentity {
  /** User of From. */
  readonly from: E164;
  /** Channel variables for the originate; `PJSIP_HEADER` writes a header of the INVITE. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Carriers refuse a From that is not theirs, so the called (tracking) number is the default and the trunk has the last word:
 *
 * | trunk from | rule Caller    | rule Tracking | rule Fixed |
 * |------------|----------------|---------------|------------|
 * | Tracking   | tracking       | tracking      | rule's     |
 * | Caller     | caller's own   | tracking      | rule's     |
 * | Fixed      | trunk's        | trunk's       | trunk's    |
 *
 * A caller who withheld the number is never named: tracking stands in for From, and no P-Asserted-Identity (RFC 3325) is sent.
 * Diversion (RFC 5806) carries the number that was called.
 */
export function outgoingIdentity(
  trunk: Pick<SipTrunkSpec, "callerId" | "host">,
  wanted: RouteDecision["callerId"],
  call: { readonly did: E164; readonly caller: E164 | null },
): OutgoingIdentity {
  const { pAssertedIdentity, diversion } = trunk.callerId;
  const asserted = { None: null, Tracking: call.did, Caller: call.caller }[pAssertedIdentity];
  const host = uriHost(trunk.host);
  return {
    from: fromNumber(trunk.callerId, wanted, call),
    variables: {
      ...(asserted === null ? {} : { "PJSIP_HEADER(add,P-Asserted-Identity)": `<sip:${asserted}@${host}>` }),
      ...(diversion === "None" ? {} : { "PJSIP_HEADER(add,Diversion)": `<sip:${call.did}@${host}>;reason=unconditional;counter=1` }),
    },
  };
}

function fromNumber(
  trunk: SipTrunkSpec["callerId"],
  wanted: RouteDecision["callerId"],
  { did, caller }: { readonly did: E164; readonly caller: E164 | null },
): E164 {
  if (trunk.from === "Fixed") {
    return parseE164(trunk.fixed?.number ?? "") ?? did;
  }
  if (wanted.type === "Fixed") {
    return wanted.number;
  }
  return wanted.type === "Caller" && trunk.from === "Caller" ? (caller ?? did) : did;
}
