/**
 * What one writes first with ari-client: ring, originate, wait for the answer, answer, make a bridge, put both in. No look-up, no rules, no
 * records, no recovery. For `npm run bench:call` only: node naive-app.ts ARI_ORIGIN USER PASSWORD APP ENDPOINT
 */
import ari from "ari-client";

interface Channel {
  readonly id: string;
}
interface StasisStart {
  readonly args: readonly string[];
  readonly channel: Channel;
}
interface NaiveCall {
  readonly inbound: string;
  readonly outbound: string;
  bridge?: string;
}
type Ask = (parameters: Record<string, unknown>) => Promise<unknown>;
/** ari-client makes its operations from what Asterisk describes. */
interface Operations {
  readonly channels: { readonly ring: Ask; readonly originateWithId: Ask; readonly answer: Ask; readonly hangup: Ask };
  readonly bridges: { readonly createWithId: Ask; readonly addChannel: Ask; readonly destroy: Ask };
}

const [origin = "", user = "", password = "", app = "", endpoint = ""] = process.argv.slice(2);
const client = await ari.connect(origin, user, password);
const { channels, bridges } = client as unknown as Operations;
const calls = new Map<string, NaiveCall>();
let sequence = 0;

async function dial({ id }: Channel): Promise<void> {
  sequence += 1;
  const call: NaiveCall = { inbound: id, outbound: `naive-${sequence}` };
  calls.set(call.inbound, call).set(call.outbound, call);
  await channels.ring({ channelId: id });
  await channels.originateWithId({ channelId: call.outbound, endpoint, app, appArgs: "outbound", originator: id, timeout: 30 });
}

async function connect(call: NaiveCall): Promise<void> {
  call.bridge = `bridge-${call.outbound}`;
  await channels.answer({ channelId: call.inbound });
  await bridges.createWithId({ bridgeId: call.bridge, type: "mixing" });
  await bridges.addChannel({ bridgeId: call.bridge, channel: `${call.inbound},${call.outbound}` });
}

async function end(call: NaiveCall, first: string): Promise<void> {
  calls.delete(call.inbound);
  calls.delete(call.outbound);
  await channels.hangup({ channelId: first === call.inbound ? call.outbound : call.inbound });
  if (call.bridge !== undefined) await bridges.destroy({ bridgeId: call.bridge });
}

// A channel that has just gone answers 404.
const ignore = () => undefined;

client.on("StasisStart", ({ args, channel }: StasisStart) => {
  const call = calls.get(channel.id);
  if (args[0] === "inbound") dial(channel).catch(ignore);
  else if (call !== undefined) connect(call).catch(ignore);
});
const gone = ({ channel }: StasisStart) => {
  const call = calls.get(channel.id);
  if (call !== undefined) end(call, channel.id).catch(ignore);
};
client.on("StasisEnd", gone);
client.on("ChannelDestroyed", gone);
await client.start(app);
process.stdout.write("READY\n");
