import { ACK_OF_REFUSAL, answer, invite, NO_BODY, scenario, send } from "../../harness/sipp-parts.ts";

/** SIPp scenarios that need more than test/sipp has: any request URI and headers, any expected refusal. */

/** Calls, expects exactly `status` and acknowledges it. A key of ours (-key): [headers], one or more lines. */
export function refusedWith(status: number): string {
  return scenario(
    `call, ${status}`,
    invite("[headers]"),
    `  <recv response="100" optional="true"/>\n  <recv response="180" optional="true"/>\n  <recv response="181" optional="true"/>`,
    `  <recv response="${status}"/>`,
    ACK_OF_REFUSAL,
  );
}

/** A registrar that challenges the first REGISTER (RFC 3261 section 22) and accepts the second, whatever its digest. */
export const REGISTRAR = scenario(
  "registrar",
  `  <recv request="REGISTER"/>`,
  send(...answer("401 Unauthorized", "[pid]s1"), `WWW-Authenticate: Digest realm="carrier", nonce="abcdef", algorithm=MD5`, NO_BODY),
  `  <recv request="REGISTER"/>`,
  send(...answer("200 OK", "[pid]s2"), "[last_Contact:]", "Expires: 3600", NO_BODY),
);
