import type { Telephony } from "../adapters/ari/telephony.ts";
import { fallbackContext } from "../domain/asterisk-names.ts";
import type { CallCommand } from "../domain/call/commands.ts";

/** Commands that Asterisk carries out; timers and records are the router's own. */
export type TelephonyCommand = Exclude<CallCommand, { type: "StartTimer" | "SaveRecord" | "KeepRecord" }>;
/** A leg has to be described by its trunk and admitted by the limits first. */
type SimpleCommand = Exclude<TelephonyCommand, { type: "Originate" }>;

/** One command, one ARI operation. */
export function perform(telephony: Telephony, command: SimpleCommand): Promise<unknown> {
  switch (command.type) {
    case "Dial":
      return telephony.dial(command.channel, command.seconds);
    case "CreateBridge":
      return telephony.createBridge(command.bridge, command.early);
    case "AddToBridge":
      return telephony.addToBridge(command.bridge, command.caller === null ? [command.channel] : [command.caller, command.channel]);
    case "DestroyBridge":
      return telephony.destroyBridge(command.bridge);
    case "Ring":
      return telephony.ring(command.channel);
    case "Answer":
      return telephony.answer(command.channel);
    case "Whisper":
      return telephony.play(command.channel, command.media);
    case "StopWhisper":
      return telephony.stopPlaying(command.channel);
    case "HangUp":
      return telephony.hangUp(command.channel, command.cause);
    case "Continue":
      return telephony.continueAt(command.channel, { context: fallbackContext(command.pool), extension: command.did.slice(1) });
  }
}
