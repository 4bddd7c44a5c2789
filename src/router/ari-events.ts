import type { AriEvent } from "../adapters/ari/events.ts";
import type { Telephony } from "../adapters/ari/telephony.ts";
import { AriError, type Logger } from "../domain/ports.ts";
import { messageOf } from "../domain/errors.ts";
import type { Calls } from "./calls.ts";
import type { AriChannel } from "../adapters/ari/events.ts";

export interface AriEventsDeps {
  readonly calls: Calls;
  readonly telephony: Telephony;
  readonly logger: Logger;
  /** False: calls are left to other routers or to the dialplan's default. */
  readonly accepting: () => boolean;
  readonly takeCall: (channel: AriChannel, args: readonly string[]) => void;
}

/** Q.850. */
const NORMAL = 16;

/** Turns Asterisk's events into what happens to calls. Decides nothing. */
export function createAriEvents(deps: AriEventsDeps): (event: AriEvent) => void {
  const { calls } = deps;
  /** StasisEnd does not carry a cause, the hang-up request before it does. */
  const causes = new Map<string, number>();

  const gone = (channel: string, cause: number | null, sipStatus: number | null): void => {
    calls.happenOn(channel, { type: "ChannelGone", channel, cause, sipStatus });
    causes.delete(channel);
  };

  const leaving = (channel: string, cause: number | null): void => {
    if (cause !== null && calls.owns(channel)) causes.set(channel, cause);
  };

  const played = (channel: string): void => {
    // A hang-up ends what is played as well; its own event follows.
    if (!causes.has(channel)) calls.happenOn(channel, { type: "Whispered", channel });
  };

  return (event) => {
    const { id } = event.channel;
    switch (event.type) {
      case "CallBroadcast":
        if (deps.accepting()) void claim(deps, id);
        break;
      case "StasisStart":
        started(deps, event.channel, event.args);
        break;
      case "ChannelStateChange":
        if (event.channel.state === "Ringing") calls.happenOn(id, { type: "LegRinging", channel: id });
        break;
      case "PlaybackFinished":
        played(id);
        break;
      case "ChannelHangupRequest":
        leaving(id, event.cause);
        break;
      case "StasisEnd":
        gone(id, causes.get(id) ?? null, null);
        break;
      case "ChannelDestroyed":
        gone(id, event.cause, event.sipStatus);
        break;
    }
  };
}

/** Too late (404) and taken by another router (409) are normal. */
async function claim({ telephony, logger }: AriEventsDeps, channel: string): Promise<void> {
  try {
    await telephony.claim(channel);
  } catch (error) {
    const normal = error instanceof AriError && (error.status === 404 || error.status === 409);
    logger[normal ? "debug" : "warn"]({ channel, error: messageOf(error) }, "a call was not claimed");
  }
}

function started({ calls, telephony, logger, takeCall }: AriEventsDeps, channel: AriChannel, args: readonly string[]): void {
  if (args[0] === "inbound") {
    takeCall(channel, args);
    return;
  }
  if (!calls.happenOn(channel.id, { type: "LegAnswered", channel: channel.id })) {
    // Its call ended while it was answering.
    telephony.hangUp(channel.id, NORMAL).catch((error: unknown) => logger.debug({ channel: channel.id, error: messageOf(error) }, "a late leg went by itself"));
  }
}
