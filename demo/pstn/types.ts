import type { RunningAsterisk } from "../../src/adapters/asterisk-process/start.ts";
import type { CallResult } from "./call-result.ts";
import type { Behaviour } from "./configuration.ts";
import type { WireMessage } from "./sip-message.ts";
import type { AudioReport } from "./tones.ts";

export interface CallOrder {
  readonly from: string;
  readonly to: string;
  /** How long the caller talks before hanging up. */
  readonly talkSeconds?: number;
  /** How long the caller lets it ring. */
  readonly ringSeconds?: number;
}

export interface LiveCall {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** `performance.now()` when it was placed. */
  readonly startedAt: number;
  /** True once the caller's telephone talks, false when the call ended before. */
  readonly answered: Promise<boolean>;
  readonly ended: Promise<CallResult>;
}

/** What is heard at both ends of a call in progress. */
export interface Listening {
  readonly answeredBy: string | null;
  readonly heardByCaller: AudioReport;
  readonly heardByAnswerer: AudioReport | null;
}

/** A carrier with telephones behind it: calls the product over real SIP and RTP, and is called by it. */
export interface Pstn {
  readonly address: string;
  readonly port: number;
  /** Places a call and resolves when it is over (after `talkSeconds`, 3 by default, or when the product ends it). */
  call(order: CallOrder): Promise<CallResult>;
  /** Places a call that goes on until `hangUp`, or `talkSeconds` (3,600 by default). */
  dial(order: CallOrder): Promise<LiveCall>;
  /** Ends the call; a call that ended already is left as it is. */
  hangUp(call: LiveCall): Promise<CallResult>;
  /** Records both ends for `seconds` (3 by default; one repetition of a number takes about one) and says what was heard. */
  listen(call: LiveCall, seconds?: number): Promise<Listening>;
  setDestinations(destinations: Readonly<Record<string, Behaviour>>): Promise<void>;
  /** Every SIP message that was on the carrier's wire so far. */
  messages(): Promise<readonly WireMessage[]>;
  readonly asterisk: RunningAsterisk;
  stop(): Promise<void>;
}
