import type { Origination, Telephony } from "../adapters/ari/telephony.ts";
import { fallbackContext } from "../domain/asterisk-names.ts";
import type { CallCommand } from "../domain/call/commands.ts";

/** Commands that Asterisk carries out; timers and records are the router's own. */
export type TelephonyCommand = Exclude<CallCommand, { type: "StartTimer" | "SaveRecord" }>;

/**
 * One command, one ARI operation.
 *
 * @param describe resolves trunk and caller ID of a leg; throws ExpectedError when the trunk is not there any more
 */
export function perform(
  telephony: Telephony,
  command: TelephonyCommand,
  describe: (command: Extract<CallCommand, { type: "Originate" }>) => Origination,
): Promise<unknown> {
  switch (command.type) {
    case "Originate":
      return telephony.originate(describe(command));
    case "CreateBridge":
      return telephony.createBridge(command.bridge);
    case "AddToBridge":
      return telephony.addToBridge(command.bridge, command.channel);
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
