import { asInteger, asObject, asString, asStrings, type Json } from "./json.ts";

/** A channel as far as we use it. Everything but `id` comes from the far end: hostile text, unbounded. */
export interface AriChannel {
  readonly id: string;
  /** `Ring`, `Ringing`, `Up`, `Down` ... (https://docs.asterisk.org, ARI Channels REST API, Channel.state). */
  readonly state: string;
  readonly callerNumber: string;
  readonly context: string;
  readonly extension: string;
  /** SIP's Call-ID. */
  readonly protocolId: string;
}

/** In a list of channels. Events tell when a channel was made as well: read at each of them, it costs as much as a tenth of their JSON. */
export interface ListedChannel extends AriChannel {
  readonly createdAt: Date | null;
}

/** The events we ask for; the event filter keeps all others from being sent. */
export type AriEvent =
  /** The call is offered to all routers; `args` are those that `StasisStart` will have for the one who gets it. */
  | { readonly type: "CallBroadcast"; readonly channel: AriChannel; readonly args: readonly string[] }
  | { readonly type: "StasisStart"; readonly channel: AriChannel; readonly args: readonly string[] }
  /** The channel left the application: it was hung up or handed back to the dialplan. No ChannelDestroyed follows. */
  | { readonly type: "StasisEnd"; readonly channel: AriChannel }
  | { readonly type: "ChannelStateChange"; readonly channel: AriChannel }
  /** Of the channel only the id is told. */
  | { readonly type: "PlaybackFinished"; readonly channel: AriChannel }
  /** Comes before StasisEnd and alone carries the cause (Q.850) of an answered channel's end. */
  | { readonly type: "ChannelHangupRequest"; readonly channel: AriChannel; readonly cause: number | null; readonly sipStatus: number | null }
  /** Only for channels that never were in the application: legs that were not answered. */
  | {
      readonly type: "ChannelDestroyed";
      readonly channel: AriChannel;
      /** Q.850 cause (ITU-T Q.850). */
      readonly cause: number | null;
      /** The SIP status that ended it, where Asterisk knows it. */
      readonly sipStatus: number | null;
    };

/**
 * Cuts a call from about 49 events to 9; of the others, 33 ChannelVarset are not even made (stasis.conf).
 * The filter also applies to the answers of REST over WebSocket (seen with Asterisk 22.10): without RESTResponse none arrives.
 */
export const WANTED_EVENTS = [
  "RESTResponse",
  "CallBroadcast",
  "StasisStart",
  "StasisEnd",
  "ChannelStateChange",
  "PlaybackFinished",
  "ChannelHangupRequest",
  "ChannelDestroyed",
  "ApplicationReplaced",
] as const;

/** @returns undefined for an event we have no use for */
export function parseEvent(message: Json): AriEvent | undefined {
  const channel = message["type"] === "PlaybackFinished" ? playedTo(message) : parseChannel(message["channel"]);
  if (channel === undefined) {
    return undefined;
  }
  switch (message["type"]) {
    case "CallBroadcast":
      return { type: "CallBroadcast", channel, args: offeredArgs(message) };
    case "StasisEnd":
    case "PlaybackFinished":
    case "ChannelStateChange":
      return { type: message["type"], channel };
    case "StasisStart":
      return { type: "StasisStart", channel, args: asStrings(message["args"]) };
    case "ChannelHangupRequest":
      // Of a hang-up over ARI ("soft") `cause` is a flag of Asterisk's own, 32, and no Q.850 cause.
      return { type: "ChannelHangupRequest", channel, cause: message["soft"] === true ? null : asInteger(message["cause"]), sipStatus: asInteger(message["tech_cause"]) };
    case "ChannelDestroyed":
      return { type: "ChannelDestroyed", channel, cause: asInteger(message["cause"]), sipStatus: asInteger(message["tech_cause"]) };
    default:
      return undefined;
  }
}

/** Of `StasisBroadcast(milliseconds,application,arguments)`, where the arguments are separated by colons. */
function offeredArgs(message: Json): readonly string[] {
  const data = asString(asObject(asObject(message["channel"])["dialplan"])["app_data"]);
  return data.split(",").slice(2).join(",").split(":");
}

function playedTo(message: Json): AriChannel | undefined {
  const target = asString(asObject(message["playback"])["target_uri"]);
  return target.startsWith("channel:") ? parseChannel({ id: target.slice("channel:".length) }) : undefined;
}

/** @returns undefined for what has no id */
export function parseChannel(value: unknown): AriChannel | undefined {
  const channel = asObject(value);
  const id = asString(channel["id"]);
  if (id === "") {
    return undefined;
  }
  return {
    id,
    state: asString(channel["state"]),
    callerNumber: asString(asObject(channel["caller"])["number"]),
    context: asString(asObject(channel["dialplan"])["context"]),
    extension: asString(asObject(channel["dialplan"])["exten"]),
    protocolId: asString(channel["protocol_id"]),
  };
}

/** @returns undefined for what has no id */
export function parseListed(value: unknown): ListedChannel | undefined {
  const channel = parseChannel(value);
  const created = new Date(asString(asObject(value)["creationtime"]));
  return channel && { ...channel, createdAt: Number.isNaN(created.getTime()) ? null : created };
}

export interface AriBridge {
  readonly id: string;
  readonly channels: readonly string[];
}

/** @returns undefined for what has no id */
export function parseBridge(value: unknown): AriBridge | undefined {
  const bridge = asObject(value);
  const id = asString(bridge["id"]);
  return id === "" ? undefined : { id, channels: asStrings(bridge["channels"]) };
}
