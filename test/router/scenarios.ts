import { ACK_OF_REFUSAL, answer, invite, NO_BODY, scenario, SDP_BODY, send, sendUntilAnswered } from "../harness/sipp-parts.ts";

/** SIPp scenarios that need more than test/sipp has. */

const ACK = send(
  "ACK [next_url] SIP/2.0",
  "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
  "From: <sip:[caller]@[local_ip]:[local_port]>;tag=[pid]c[call_number]",
  "To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]",
  "Call-ID: [call_id]",
  "CSeq: 1 ACK",
  "Max-Forwards: 70",
  NO_BODY,
);

const OK_TO_BYE = send(...answer("200 OK"), NO_BODY);
/** Of whoever is called. */
const TAG = "[pid]s[call_number]";
const CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>";

const PROVISIONAL = `  <recv response="100" optional="true"/>\n  <recv response="180" optional="true"/>\n  <recv response="183" optional="true"/>`;

/** Calls, is answered, and waits for the other side to hang up. */
export const CALLER_WAITS_FOR_BYE = scenario(
  "call, hung up by the other side",
  invite(),
  PROVISIONAL,
  `  <recv response="200" rrs="true"/>`,
  ACK,
  `  <recv request="BYE" timeout="60000"/>`,
  OK_TO_BYE,
);

/** Calls, hears it ring, and gives up. */
export const CALLER_CANCELS = scenario(
  "call, cancelled",
  invite(),
  `  <recv response="100" optional="true"/>\n  <recv response="180"/>\n  <pause milliseconds="300"/>`,
  sendUntilAnswered(
    "CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
    "[last_Via:]",
    "[last_From:]",
    "To: <sip:[service]@[remote_ip]:[remote_port]>",
    "[last_Call-ID:]",
    "CSeq: 1 CANCEL",
    "Max-Forwards: 70",
    NO_BODY,
  ),
  `  <recv response="200"/>\n  <recv response="487"/>`,
  ACK_OF_REFUSAL,
);

/** Rings for the length of the pause, answers, and waits for BYE. */
export function answersLate(afterMs: number): string {
  return scenario(
    "ring, then answer",
    `  <recv request="INVITE" rrs="true"/>`,
    send(...answer("180 Ringing", TAG), CONTACT, NO_BODY),
    `  <pause milliseconds="${afterMs}"/>`,
    send(...answer("200 OK", TAG), CONTACT, SDP_BODY),
    `  <recv request="ACK"/>\n  <recv request="BYE" timeout="60000"/>`,
    OK_TO_BYE,
  );
}

/** Answers and hangs up after the length of the pause, with the cause "network out of order" (Q.850, 38). */
export function answersAndHangsUp(afterMs: number): string {
  return scenario(
    "answer, then BYE",
    `  <recv request="INVITE" rrs="true"><action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="remote"/></action></recv>`,
    sendUntilAnswered(...answer("200 OK", TAG), CONTACT, SDP_BODY),
    `  <recv request="ACK"/>\n  <pause milliseconds="${afterMs}"/>`,
    sendUntilAnswered(
      "BYE [next_url] SIP/2.0",
      "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
      "From: <sip:desk@[local_ip]:[local_port]>;tag=[pid]s[call_number]",
      "To:[$remote]",
      "Call-ID: [call_id]",
      "CSeq: 2 BYE",
      "Max-Forwards: 70",
      "Reason: Q.850;cause=38",
      NO_BODY,
    ),
    `  <recv response="200"/>`,
  );
}
