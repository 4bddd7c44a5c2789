import { parseE164 } from "../../src/domain/e164.ts";
import { ExpectedError } from "../../src/domain/errors.ts";
import { playtones } from "./tones.ts";

/** What a destination does when it is called. */
export type Behaviour = "answer" | "busy" | "no-answer" | "unavailable";

/** Modules that telephones need and the product does not. */
export const PSTN_MODULES = ["app_mixmonitor", "app_playtones", "app_userevent"] as const;

/** Seconds after which a forgotten call ends. */
export const LONGEST_CALL_SECONDS = 3_600;

/** Legs that the carrier places carry an id that begins so; Asterisk makes up those of the others. */
export const CALLER_LEG = "caller-";

/** How the carrier reaches the product. */
export interface ProductSide {
  readonly address: string;
  readonly port: number;
  /** UDP unless told; over TLS the sound is encrypted as well (SDES). */
  readonly transport?: "udp" | "tcp" | "tls";
}

/** The trunk between carrier and product, as the carrier has it. */
export function pjsipConfiguration({ address, port, transport = "udp" }: ProductSide): string {
  return `[product]
type = endpoint
context = from-product
transport = transport-${transport}
media_encryption = ${transport === "tls" ? "sdes" : "no"}
disallow = all
allow = ulaw
direct_media = no
rtp_symmetric = no
aors = product

[product]
type = aor
contact = sip:${address}:${port}${transport === "udp" ? "" : `\\;transport=${transport}`}

[product]
type = identify
endpoint = product
match = ${address}
`;
}

/** Destinations that the product calls, and what a telephone does that talks. */
export function extensionsConfiguration(destinations: Readonly<Record<string, Behaviour>>, recordings: string): string {
  const extensions = Object.entries(destinations).map(([number, behaviour]) => destination(number, behaviour));
  return `[from-product]
${extensions.join("\n")}
; A number that is nobody's has no line here: 404.

; A telephone that is off the hook: records what it RECEIVES (r), says its own number, hangs up after TALK seconds.
[talking]
exten => s,1,Set(CHANNEL(hangup_handler_push)=ended,s,1)
 same => n,MixMonitor(,r(${recordings}/\${UNIQUEID}.wav))
 same => n,UserEvent(PstnTalking,Leg: \${UNIQUEID},Number: \${NUMBER},CallId: \${CHANNEL(pjsip,call-id)})
 same => n,Playtones(\${SIGNAL})
 same => n,Wait(\${TALK})
 same => n,Hangup(16)

[ended]
exten => s,1,UserEvent(PstnEnded,Leg: \${UNIQUEID},Sent: \${CHANNEL(rtcp,txcount)},Received: \${CHANNEL(rtcp,rxcount)})
 same => n,Return()
`;
}

/** A telephone that rings a moment before it is answered, as people do. */
function destination(number: string, behaviour: Behaviour): string {
  assertNumber(number, "destinations");
  switch (behaviour) {
    case "answer":
      return `exten => ${number},1,Ringing()
 same => n,Wait(0.3)
 same => n,Answer()
 same => n,Set(NUMBER=${number})
 same => n,Set(SIGNAL=${playtones(number)})
 same => n,Set(TALK=${LONGEST_CALL_SECONDS})
 same => n,Goto(talking,s,1)`;
    case "busy":
      return `exten => ${number},1,Hangup(17)`; // Q.850 user busy: 486
    case "unavailable":
      return `exten => ${number},1,Hangup(34)`; // Q.850 no circuit available: 503
    case "no-answer":
      return `exten => ${number},1,Ringing()
 same => n,Wait(${LONGEST_CALL_SECONDS})`;
  }
}

/**
 * Only digits reach the dialplan.
 *
 * @throws ExpectedError InvalidInput
 */
export function assertNumber(number: string, field: string): void {
  if (parseE164(number) === null) {
    throw new ExpectedError("InvalidInput", `${field}: ${JSON.stringify(number)} must be a number in E.164 with "+"`, { field });
  }
}
