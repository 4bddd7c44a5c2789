import type { AriEvent } from "../adapters/ari/events.ts";
import { EARLY_LEG, type Telephony } from "../adapters/ari/telephony.ts";
import { AriError, type Logger } from "../domain/ports.ts";
import { messageOf } from "../domain/errors.ts";
import { CAUSE } from "../domain/q850.ts";
import type { Calls } from "./calls.ts";
import type { AriChannel } from "../adapters/ari/events.ts";

export interface AriEventsDeps {
  readonly calls: Calls;
  readonly telephony: Telephony;
  readonly logger: Logger;
  /** False: calls are left to other routers or to the dialplan's default. */
  readonly accepting: (channel: string) => boolean;
  /** Settles with the answer: the call may have become ours. */
  readonly claiming: (claim: Promise<void>) => void;
  /** May become ours. */
  readonly offered: (channel: AriChannel, args: readonly string[]) => void;
  /** Somebody else has it, or nobody any more. */
  readonly notOurs: (channel: string) => void;
  readonly takeCall: (channel: AriChannel, args: readonly string[]) => void;
  /** A channel of no call answered. @returns true when recovery is under way and sees to it */
  readonly cameUp: (channel: string) => boolean;
}

type HangupCause = Pick<Extract<AriEvent, { type: "ChannelDestroyed" }>, "cause" | "sipStatus">;
const NOT_TOLD: HangupCause = { cause: null, sipStatus: null };

/** Turns Asterisk's events into what happens to calls. Decides nothing. */
export function createAriEvents(deps: AriEventsDeps): (event: AriEvent) => void {
  const { calls } = deps;
  /** StasisEnd does not carry a cause, the hang-up request before it does. */
  const causes = new Map<string, HangupCause>();

  const gone = (channel: string, { cause, sipStatus }: HangupCause): void => {
    calls.dispatchTo(channel, { type: "ChannelGone", channel, cause, sipStatus });
    causes.delete(channel);
  };

  const leaving = (channel: string, { cause, sipStatus }: HangupCause): void => {
    if (cause !== null && calls.owns(channel)) causes.set(channel, { cause, sipStatus });
    calls.dispatchTo(channel, { type: "HangingUp", channel, cause, sipStatus });
  };

  const played = (channel: string): void => {
    // A hang-up ends what is played as well; its own event follows.
    if (!causes.has(channel)) calls.dispatchTo(channel, { type: "Whispered", channel });
  };

  return (event) => {
    const { id } = event.channel;
    switch (event.type) {
      case "CallBroadcast":
        if (deps.accepting(id)) deps.claiming(claim(deps, event.channel, event.args));
        break;
      case "StasisStart":
        started(deps, event.channel, event.args);
        break;
      case "ChannelStateChange":
        changed(deps, event.channel);
        break;
      case "PlaybackFinished":
        played(id);
        break;
      case "ChannelHangupRequest":
        leaving(id, event);
        break;
      case "StasisEnd":
        gone(id, causes.get(id) ?? NOT_TOLD);
        break;
      case "ChannelDestroyed":
        gone(id, event);
        break;
    }
  };
}

function changed({ calls, cameUp }: AriEventsDeps, { id, state }: AriChannel): void {
  if (state === "Ringing") calls.dispatchTo(id, { type: "LegRinging", channel: id });
  if (state === "Up" && !calls.dispatchTo(id, { type: "LegUp", channel: id })) cameUp(id);
}

/** Too late (404) and taken by another router (409) are normal. */
async function claim({ telephony, logger, offered, notOurs }: AriEventsDeps, channel: AriChannel, args: readonly string[]): Promise<void> {
  const { id } = channel;
  try {
    const claimed = telephony.claim(id);
    // What is asked for is sent when this turn is over; the rest of the work is done while it is on its way.
    await Promise.resolve();
    offered(channel, args);
    await claimed;
  } catch (error) {
    notOurs(id);
    const normal = error instanceof AriError && (error.status === 404 || error.status === 409);
    logger[normal ? "debug" : "warn"]({ channel: id, error: messageOf(error) }, "a call was not claimed");
  }
}

function started({ calls, telephony, logger, takeCall, cameUp }: AriEventsDeps, channel: AriChannel, args: readonly string[]): void {
  if (args[0] === "inbound") {
    takeCall(channel, args);
    return;
  }
  const type = args[0] === EARLY_LEG ? "LegReady" : "LegAnswered";
  if (!calls.dispatchTo(channel.id, { type, channel: channel.id }) && !(type === "LegAnswered" && cameUp(channel.id))) {
    // Its call ended while it was answering.
    telephony.hangUp(channel.id, CAUSE.normal).catch((error: unknown) => logger.debug({ channel: channel.id, error: messageOf(error) }, "a late leg went by itself"));
  }
}
