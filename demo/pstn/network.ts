import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { RunningAsterisk } from "../../src/adapters/asterisk-process/start.ts";
import type { AmiClient } from "./ami-client.ts";
import { Answerers } from "./answerers.ts";
import { type CallResult, REFERENCE, rtpEvidence, wireEvidence } from "./call-result.ts";
import { assertNumber, type Behaviour, CALLER_LEG, extensionsConfiguration, LONGEST_CALL_SECONDS } from "./configuration.ts";
import { type Leg, Legs } from "./legs.ts";
import { readRecording } from "./recording.ts";
import type { SipCapture } from "./sip-capture.ts";
import type { WireMessage } from "./sip-message.ts";
import { playtones, recognise } from "./tones.ts";
import type { CallOrder, Listening, LiveCall, Pstn } from "./types.ts";

/** The answering party can be reported as talking a little later than the caller. */
const SETTLE_MS = 250;
const FINAL_RESPONSE_MS = 1_000;
const NOTHING = new Float64Array();

/** Telephones and carrier, driven over AMI. */
export class Network implements Pstn {
  readonly asterisk: RunningAsterisk;
  readonly address: string;
  readonly port: number;
  readonly #ami: AmiClient;
  readonly #legs: Legs;
  readonly #recordings: string;
  readonly #capture: SipCapture;
  readonly #answerers: Answerers;

  constructor(parts: { asterisk: RunningAsterisk; ami: AmiClient; capture: SipCapture; recordings: string; address: string; port: number }) {
    this.asterisk = parts.asterisk;
    this.address = parts.address;
    this.port = parts.port;
    this.#recordings = parts.recordings;
    this.#capture = parts.capture;
    this.#ami = parts.ami;
    this.#legs = new Legs(parts.ami);
    this.#answerers = new Answerers({
      legs: this.#legs,
      messages: () => this.messages(),
      recordingOf: (leg) => this.#recordingOf(leg),
    });
  }

  async call(order: CallOrder): Promise<CallResult> {
    const call = await this.dial({ talkSeconds: 3, ...order });
    return call.ended;
  }

  async dial({ from, to, talkSeconds = LONGEST_CALL_SECONDS, ringSeconds = 60 }: CallOrder): Promise<LiveCall> {
    assertNumber(from, "from");
    assertNumber(to, "to");
    const id = `${CALLER_LEG}${randomUUID()}`;
    const startedAt = performance.now();
    const variables = { NUMBER: from, SIGNAL: playtones(from), TALK: String(talkSeconds), [`PJSIP_HEADER(add,${REFERENCE})`]: id };
    await this.#ami.action("Originate", {
      Channel: `PJSIP/${to}@product`,
      ChannelId: id,
      CallerID: `<${from}>`,
      Context: "talking",
      Exten: "s",
      Priority: "1",
      Timeout: String(ringSeconds * 1_000),
      Variable: Object.entries(variables).map(([name, value]) => `${name}=${value}`).join(","),
      Async: "true",
    });
    const crashed = this.asterisk.exited.then(() => Promise.reject(new Error("the simulated PSTN ended during a call")));
    const until = (condition: (leg: Leg) => boolean) => Promise.race([this.#legs.until(id, condition), crashed]);
    const answered = until((leg) => leg.talkingSince !== null || leg.cause !== null).then((leg) => leg.talkingSince !== null);
    const ended = until((leg) => leg.cause !== null).then((leg) => this.#result(leg, { from, to, startedAt }));
    // Whoever only dials may never ask for either.
    answered.catch(() => undefined);
    ended.catch(() => undefined);
    return { id, from, to, startedAt, answered, ended };
  }

  async hangUp(call: LiveCall): Promise<CallResult> {
    if ((this.#legs.get(call.id)?.cause ?? null) === null) {
      // It can end between the look and the action: then there is no such channel, which is what was wanted.
      await this.#ami.action("Hangup", { Channel: call.id, Cause: "16" }).catch(() => undefined);
    }
    return call.ended;
  }

  async listen(call: LiveCall, seconds = 3): Promise<Listening> {
    await sleep(Math.max(0, (this.#legs.get(call.id)?.talkingSince ?? 0) + SETTLE_MS - performance.now()));
    const over = (this.#legs.get(call.id)?.cause ?? null) !== null;
    const answerers = over ? [] : this.#answerers.talking(call.startedAt);
    const [heard, ...others] = await Promise.all([call.id, ...answerers.map(({ id }) => id)].map((id) => this.#record(id, seconds)));
    const candidates = answerers.map((leg, index) => ({ leg, samples: others[index] ?? NOTHING }));
    const answerer = await this.#answerers.choose(call, candidates);
    const number = answerer?.leg.number ?? null;
    return {
      answeredBy: number,
      heardByCaller: recognise(heard ?? NOTHING, number),
      heardByAnswerer: answerer === undefined ? null : recognise(answerer.samples, call.from),
    };
  }

  async setDestinations(destinations: Readonly<Record<string, Behaviour>>): Promise<void> {
    const text = extensionsConfiguration(destinations, this.#recordings);
    await writeFile(join(this.asterisk.configDir, "extensions.d/pstn.conf"), text, { mode: 0o600 });
    await this.asterisk.cli("dialplan reload");
  }

  messages(): Promise<readonly WireMessage[]> {
    return this.#capture.messages();
  }

  async stop(): Promise<void> {
    this.#ami.close();
    await this.asterisk.stop();
  }

  /** What a leg receives during the next `seconds`; empty when the leg is gone. */
  async #record(leg: string, seconds: number): Promise<Float64Array> {
    const file = join(this.#recordings, `${leg}-${randomUUID()}.wav`);
    const started = await this.#ami.action("MixMonitor", { Channel: leg, Options: `r(${file})` }).catch(() => null);
    if (started === null) {
      return NOTHING;
    }
    await sleep(seconds * 1_000);
    await this.#ami.action("StopMixMonitor", { Channel: leg, MixMonitorID: started["MixMonitorID"] ?? "" }).catch(() => undefined);
    return readRecording(file);
  }

  async #result(caller: Leg, order: { from: string; to: string; startedAt: number }): Promise<CallResult> {
    const wire = await this.#wireEvidence(caller.id);
    const answerer = caller.talkingSince === null ? undefined : await this.#answerers.find(order);
    const number = answerer?.leg.number ?? null;
    const heard = caller.talkingSince === null ? null : await this.#recordingOf(caller);
    return {
      from: order.from,
      to: order.to,
      ...wire,
      hangupCause: caller.cause ?? 0,
      answeredBy: number,
      heardByCaller: heard === null ? null : recognise(heard, number),
      heardByAnswerer: answerer === undefined ? null : recognise(answerer.samples, order.from),
      rtp: rtpEvidence(caller, answerer === undefined ? undefined : this.#legs.get(answerer.leg.id)),
    };
  }

  /** The leg can be over a moment before the last response to its CANCEL is on the wire. */
  async #wireEvidence(id: string): Promise<ReturnType<typeof wireEvidence>> {
    const deadline = performance.now() + FINAL_RESPONSE_MS;
    for (;;) {
      const evidence = wireEvidence(await this.messages(), id);
      if (evidence.responses.some(({ code }) => code >= 200) || performance.now() > deadline) {
        return evidence;
      }
      await sleep(50);
    }
  }

  #recordingOf(leg: Leg): Promise<Float64Array> {
    return readRecording(join(this.#recordings, `${leg.id}.wav`));
  }
}
