import { AriError, type AriRest } from "../../domain/ports.ts";
import { type AriBridge, type ListedChannel, parseBridge, parseListed } from "./events.ts";
import { asObject, asString, asStrings } from "./json.ts";

export interface Origination {
  readonly channel: string;
  /** `PJSIP/...`, of `dialString`. */
  readonly endpoint: string;
  readonly callerId: string;
  /** Without one Asterisk rings for ever. */
  readonly ringTimeoutSeconds: number;
  /** The inbound channel: the leg takes over its codecs. */
  readonly originator: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** The application's argument of a leg that was made and not yet called. */
export const EARLY_LEG = "early";

/** What the router asks of Asterisk, one ARI operation each. All reject with AriError or ExpectedError `Unavailable`. */
export interface Telephony {
  /** First come, first served among routers. @throws AriError 404 (too late) or 409 (another one has it) */
  claim(channel: string): Promise<unknown>;
  originate(origination: Origination): Promise<unknown>;
  /** Makes the channel without calling anybody; StasisStart with `EARLY_LEG` follows, and then it can be dialled. */
  create(origination: Origination): Promise<unknown>;
  /** Calls the far end of a channel that was made. */
  dial(channel: string, ringTimeoutSeconds: number): Promise<unknown>;
  /** @param throughCore audio is never forwarded packet by packet */
  createBridge(bridge: string, throughCore: boolean): Promise<unknown>;
  /** In this order. */
  addToBridge(bridge: string, channels: readonly string[]): Promise<unknown>;
  destroyBridge(bridge: string): Promise<unknown>;
  ring(channel: string): Promise<unknown>;
  answer(channel: string): Promise<unknown>;
  /** Starts to play a media URI; PlaybackFinished follows. One at a time a channel. */
  play(channel: string, media: string): Promise<unknown>;
  stopPlaying(channel: string): Promise<unknown>;
  /** @param cause Q.850 */
  hangUp(channel: string, cause: number): Promise<unknown>;
  continueAt(channel: string, place: { readonly context: string; readonly extension: string }): Promise<unknown>;
  /** The value of a channel variable, "" when it is not set. */
  variable(channel: string, name: string): Promise<string>;
  /** Ids of the channels that our application holds or has dialled. */
  ownChannels(): Promise<readonly string[]>;
  /** The channel's events come to us, whichever application it entered, and when. */
  watch(channel: string): Promise<unknown>;
  /** @param ours channels that are asked for in any case, where Asterisk can't tell of all */
  channels(ours?: readonly string[]): Promise<readonly ListedChannel[]>;
  bridges(): Promise<readonly AriBridge[]>;
  /** When Asterisk was started, as it writes times: another one is another Asterisk. */
  startedAt(): Promise<string>;
}

/**
 * @param lists asked for lists, over HTTP: Asterisk puts an answer on a WebSocket together on the stack of a thread, 496 kB, and an
 *   answer that does not fit, of some 600 channels, kills it with all its calls
 */
export function createTelephony(ari: AriRest, app: string, lists: AriRest = ari): Telephony {
  const channel = (id: string) => `/channels/${encodeURIComponent(id)}`;
  const bridge = (id: string) => `/bridges/${encodeURIComponent(id)}`;
  return {
    claim: (id) => ari.request("POST", "/events/claim", { channelId: id, application: app }),
    originate: (origination) => originate(ari, app, origination),
    create: (origination) => create(ari, app, origination),
    dial: (id, seconds) => ari.request("POST", `${channel(id)}/dial`, { timeout: String(seconds) }),
    createBridge: (id, throughCore) => ari.request("POST", bridge(id), { type: throughCore ? "mixing,proxy_media" : "mixing" }),
    // Connected-line updates would show each party the other's number, past every caller-ID rule.
    addToBridge: (id, members) => ari.request("POST", `${bridge(id)}/addChannel`, { channel: members.join(","), inhibitConnectedLineUpdates: "true" }),
    destroyBridge: (id) => ari.request("DELETE", bridge(id)),
    ring: (id) => ari.request("POST", `${channel(id)}/ring`),
    answer: (id) => ari.request("POST", `${channel(id)}/answer`),
    play: (id, media) => ari.request("POST", `${channel(id)}/play/${encodeURIComponent(playbackId(id))}`, { media }),
    stopPlaying: (id) => ari.request("DELETE", `/playbacks/${encodeURIComponent(playbackId(id))}`),
    hangUp: (id, cause) => ari.request("DELETE", channel(id), { reason_code: String(cause) }),
    continueAt: (id, place) => ari.request("POST", `${channel(id)}/continue`, { ...place, priority: "1" }),
    variable: async (id, name) => asString(asObject(await ari.request("GET", `${channel(id)}/variable`, { variable: name }))["value"]),
    ownChannels: () => channelsOf(lists, app),
    watch: (id) => ari.request("POST", `/applications/${encodeURIComponent(app)}/subscription`, { eventSource: `channel:${id}` }),
    channels: async (ours = []) => parseAll(await listOfChannels(lists, app, ours), parseListed),
    bridges: async () => parseAll(await lists.request("GET", "/bridges"), parseBridge),
    startedAt: async () => asString(asObject(asObject(await ari.request("GET", "/asterisk/info", { only: "status" }))["status"])["startup_time"]),
  };
}

async function channelsOf(lists: AriRest, app: string): Promise<readonly string[]> {
  return asStrings(asObject(await lists.request("GET", `/applications/${encodeURIComponent(app)}`))["channel_ids"]);
}

/**
 * One channel that Asterisk (22.10) can't tell of, because the Call-ID that a caller made up is not UTF-8, fails the list of all with 500. It
 * is none of ours: no event could be made of it either. Then those that are ours are asked for one by one. An application that Asterisk has
 * made anew knows nothing of the channels of the old one.
 */
async function listOfChannels(lists: AriRest, app: string, ours: readonly string[]): Promise<unknown> {
  try {
    return await lists.request("GET", "/channels");
  } catch (error) {
    if (!(error instanceof AriError) || error.status !== 500) throw error;
    return await oneByOne(lists, new Set([...(await channelsOf(lists, app)), ...ours]));
  }
}

/** Requests at once: each has a connection of its own. */
const AT_ONCE = 8;

async function oneByOne(lists: AriRest, ids: ReadonlySet<string>): Promise<readonly unknown[]> {
  const waiting = [...ids];
  const found: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        found.push(await lists.request("GET", `/channels/${encodeURIComponent(id)}`));
      } catch (error) {
        // It went meanwhile, or is another that can't be told of.
        if (!(error instanceof AriError)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

function playbackId(channel: string): string {
  return `${channel}-play`;
}

function originate(ari: AriRest, app: string, { channel, endpoint, callerId, ringTimeoutSeconds, originator, variables }: Origination): Promise<unknown> {
  const query = { endpoint, app, appArgs: "leg", callerId, timeout: String(ringTimeoutSeconds), originator };
  return ari.request("POST", `/channels/${encodeURIComponent(channel)}`, query, { variables });
}

/** Who calls has to be said before the call: `i` keeps it from being told to a far end that does not know of the call yet. */
function create(ari: AriRest, app: string, { channel, endpoint, callerId, originator, variables }: Origination): Promise<unknown> {
  const query = { endpoint, app, appArgs: EARLY_LEG, channelId: channel, originator };
  return ari.request("POST", "/channels/create", query, { variables: { ...variables, "CALLERID(num)": callerId, "CONNECTEDLINE(num,i)": callerId } });
}

function parseAll<T>(list: unknown, parse: (value: unknown) => T | undefined): readonly T[] {
  return Array.isArray(list) ? list.map(parse).filter((item) => item !== undefined) : [];
}
