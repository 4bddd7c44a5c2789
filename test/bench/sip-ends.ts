import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

/**
 * The two far ends of many calls in one process, as little as a bench needs of RFC 3261 over UDP. Not SIPp: its clock is the kernel's
 * coarse one and ticks every 4 ms, which is more than a whole set-up takes.
 */
export interface CallLoad {
  /** What is called, in the order of the calls, again and again. */
  readonly numbers: readonly string[];
  readonly callsPerSecond: number;
  readonly seconds: number;
  /** How long an answered call is held. */
  readonly holdMs: number;
  /** The caller sends 50 packets a second (PCMU), the far side sends each back. */
  readonly rtp: boolean;
}

export interface CallResults {
  /** INVITE sent -> 200 received, in milliseconds, of the calls that were answered. */
  readonly setupMs: readonly number[];
  /** Not answered within 10 s, refused, or their BYE was not answered. */
  readonly failed: number;
  readonly rtpSent: number;
  readonly rtpReturned: number;
}

interface OutgoingCall {
  readonly callId: string;
  readonly number: string;
  readonly startedAt: number;
  answeredAt: number | null;
  progress: "inviting" | "proceeding" | "talking" | "ending" | "over";
  failed: boolean;
  /** Of the 200: where requests of this call go, and To with its tag. */
  contact: string;
  to: string;
  media: { readonly host: string; readonly port: number } | null;
  sequence: number;
  readonly rtp: Buffer;
}

const ANSWER_WITHIN_MS = 10_000;
/** RFC 3261 section 17.1.1.2, T1; doubled each time. */
const RESEND_MS = 500;
const RESENDS = 4;
const PACKET_MS = 20;
const SAMPLES = 160;
const BUFFER_BYTES = 4 << 20;
const MEDIA_PORT = 6_000;

export interface FarEnds extends AsyncDisposable {
  /** Resolves when every call is over. */
  run(load: CallLoad): Promise<CallResults>;
}

/** @param caller, callee loopback addresses; both use port 5060 */
export async function startFarEnds(caller: string, callee: string, asterisk: { readonly address: string; readonly port: number }): Promise<FarEnds> {
  const sockets = {
    caller: await bound(caller, 5060),
    callee: await bound(callee, 5060),
    callerMedia: await bound(caller, MEDIA_PORT),
    calleeMedia: await bound(callee, MEDIA_PORT),
  };
  answerCalls(sockets.callee, callee);
  sockets.calleeMedia.on("message", (packet, from) => sockets.calleeMedia.send(packet, from.port, from.address));
  let runs = 0;
  return {
    run: (load) => new Load(load, { id: `${caller}-${(runs += 1)}`, address: caller, asterisk, signalling: sockets.caller, media: sockets.callerMedia }).run(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(Object.values(sockets).map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
    },
  };
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, resolve);
  });
  return socket;
}

interface Message {
  /** `INVITE`, or the status. */
  readonly kind: string;
  readonly method: string;
  readonly headers: string;
  readonly body: string;
}

function read(packet: Buffer): Message {
  const text = packet.toString("latin1");
  const at = text.indexOf("\r\n\r\n");
  const headers = at < 0 ? text : text.slice(0, at);
  const [first = "", second = ""] = headers.split(" ", 2);
  return { kind: first.startsWith("SIP/") ? second : first, method: header(headers, "CSeq").split(" ")[1] ?? "", headers, body: text.slice(at + 4) };
}

function header(headers: string, name: string): string {
  return new RegExp(`^${name}: *(.*)$`, "im").exec(headers)?.[1]?.trim() ?? "";
}

function sdp(address: string): string {
  return ["v=0", `o=- 1 1 IN IP4 ${address}`, "s=-", `c=IN IP4 ${address}`, "t=0 0", `m=audio ${MEDIA_PORT} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000", "a=ptime:20", ""].join("\r\n");
}

function packet(lines: readonly string[], body = ""): Buffer {
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  return Buffer.from([...lines, ...type, `Content-Length: ${body.length}`, "", body].join("\r\n"), "latin1");
}

/** Answers every call at once, and every BYE. */
function answerCalls(socket: Socket, address: string): void {
  const unacknowledged = new Map<string, NodeJS.Timeout>();
  const acknowledged = (callId: string) => {
    clearTimeout(unacknowledged.get(callId));
    unacknowledged.delete(callId);
  };
  const reply = ({ headers }: Message, body: string): Buffer => {
    const copied = headers.split("\r\n").filter((line) => /^(via|from|call-id|cseq|record-route):/i.test(line));
    const to = header(headers, "To");
    return packet(["SIP/2.0 200 OK", ...copied, `To: ${to}${to.includes(";tag=") ? "" : ";tag=far"}`, `Contact: <sip:far@${address}:5060>`], body);
  };
  socket.on("message", (data, from) => {
    const message = read(data);
    const callId = header(message.headers, "Call-ID");
    if (message.kind === "ACK") acknowledged(callId);
    if (message.kind === "BYE" || message.kind === "OPTIONS") socket.send(reply(message, ""), from.port, from.address);
    if (message.kind !== "INVITE") return;
    const answer = reply(message, sdp(address));
    acknowledged(callId);
    repeat(
      () => socket.send(answer, from.port, from.address),
      (timer) => unacknowledged.set(callId, timer),
      () => unacknowledged.has(callId),
    );
  });
}

/** Sends now and, while it is still wanted, after 0.5, 1, 2 and 4 s more. */
function repeat(send: () => void, keep: (timer: NodeJS.Timeout) => void, wanted: () => boolean, tries = 0): void {
  send();
  if (tries === RESENDS) return;
  const again = () => {
    if (wanted()) repeat(send, keep, wanted, tries + 1);
  };
  keep(setTimeout(again, RESEND_MS * 2 ** tries));
}

interface Caller {
  /** Unique over all runs against one Asterisk. */
  readonly id: string;
  readonly address: string;
  readonly asterisk: { readonly address: string; readonly port: number };
  readonly signalling: Socket;
  readonly media: Socket;
}

class Load {
  readonly #load: CallLoad;
  readonly #caller: Caller;
  readonly #calls = new Map<string, OutgoingCall>();
  #rtpSent = 0;
  #rtpReturned = 0;

  constructor(load: CallLoad, caller: Caller) {
    this.#load = load;
    this.#caller = caller;
  }

  async run(): Promise<CallResults> {
    const { signalling, media } = this.#caller;
    const onMessage = (data: Buffer, from: RemoteInfo) => this.#received(data, from);
    const onPacket = () => void (this.#rtpReturned += 1);
    signalling.on("message", onMessage);
    media.on("message", onPacket);
    const speaking = this.#load.rtp ? setInterval(() => this.#speak(), PACKET_MS) : undefined;
    await this.#placeAll();
    await this.#allOver();
    clearInterval(speaking);
    signalling.off("message", onMessage);
    media.off("message", onPacket);
    const calls = [...this.#calls.values()];
    return {
      setupMs: calls.flatMap(({ answeredAt, startedAt }) => (answeredAt === null ? [] : [answeredAt - startedAt])),
      failed: calls.filter(({ failed }) => failed).length,
      rtpSent: this.#rtpSent,
      rtpReturned: this.#rtpReturned,
    };
  }

  /** At their times, whether or not earlier calls got through. */
  #placeAll(): Promise<void> {
    const { callsPerSecond, seconds } = this.#load;
    const count = Math.round(callsPerSecond * seconds);
    const startedAt = performance.now();
    let placed = 0;
    return new Promise((resolve) => {
      const tick = () => {
        const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * callsPerSecond) + 1);
        for (; placed < due; placed += 1) this.#place(placed);
        if (placed < count) setTimeout(tick, 1);
        else resolve();
      };
      tick();
    });
  }

  #place(index: number): void {
    const { numbers } = this.#load;
    const call: OutgoingCall = {
      callId: `${this.#caller.id}-${index}`,
      number: numbers[index % numbers.length] ?? "",
      startedAt: performance.now(),
      answeredAt: null,
      progress: "inviting",
      failed: false,
      contact: "",
      to: "",
      media: null,
      sequence: 0,
      rtp: rtpPacket(index),
    };
    this.#calls.set(call.callId, call);
    this.#persist(this.#request(call, "INVITE", { body: sdp(this.#caller.address) }), () => call.progress === "inviting");
    setTimeout(() => this.#cancel(call), ANSWER_WITHIN_MS);
  }

  #persist(data: Buffer, wanted: () => boolean): void {
    repeat(() => this.#send(data), () => undefined, wanted);
  }

  #send(data: Buffer): void {
    const { signalling, asterisk } = this.#caller;
    signalling.send(data, asterisk.port, asterisk.address);
  }

  #request(call: OutgoingCall, method: "INVITE" | "ACK" | "BYE" | "CANCEL", { body = "", transaction = method }: { readonly body?: string; readonly transaction?: string } = {}): Buffer {
    const { address, asterisk } = this.#caller;
    const uri = call.contact || `sip:${call.number}@${asterisk.address}:${asterisk.port}`;
    const from = `+1312555${String(Number(call.callId.split("-").at(-1)) % 10_000).padStart(4, "0")}`;
    return packet(
      [
        `${method} ${uri} SIP/2.0`,
        `Via: SIP/2.0/UDP ${address}:5060;branch=z9hG4bK${call.callId}-${transaction}`,
        `From: <sip:${from}@${address}>;tag=${call.callId}`,
        `To: ${call.to || `<${uri}>`}`,
        `Call-ID: ${call.callId}`,
        `CSeq: ${method === "BYE" ? 2 : 1} ${method}`,
        `Contact: <sip:bench@${address}:5060>`,
        "Max-Forwards: 70",
      ],
      body,
    );
  }

  #received(data: Buffer, from: RemoteInfo): void {
    const at = performance.now();
    const message = read(data);
    if (message.kind === "BYE") {
      const copied = message.headers.split("\r\n").filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
      this.#caller.signalling.send(packet(["SIP/2.0 200 OK", ...copied]), from.port, from.address);
    }
    const call = this.#calls.get(header(message.headers, "Call-ID"));
    if (call === undefined) return;
    // Asterisk hung up before we did.
    if (message.kind === "BYE" && call.progress === "talking") this.#fail(call);
    else if (message.method === "INVITE") this.#progressed(call, message, at);
    else if (message.method === "BYE" && message.kind === "200") call.progress = call.progress === "ending" ? "over" : call.progress;
  }

  #progressed(call: OutgoingCall, { kind, headers, body }: Message, at: number): void {
    const status = Number(kind);
    if (status < 200) {
      if (call.progress === "inviting") call.progress = "proceeding";
      return;
    }
    call.to = header(headers, "To");
    if (status >= 300) {
      this.#send(this.#request(call, "ACK", { transaction: "INVITE" }));
      this.#fail(call);
      return;
    }
    call.contact = /<(.*?)>/.exec(header(headers, "Contact"))?.[1] ?? "";
    this.#send(this.#request(call, "ACK"));
    // Too late, it has been given up.
    if (call.progress === "over") this.#send(this.#request(call, "BYE"));
    else if (call.answeredAt === null) this.#answered(call, body, at);
  }

  #answered(call: OutgoingCall, body: string, at: number): void {
    call.answeredAt = at;
    call.progress = "talking";
    const [, host = ""] = /^c=IN IP4 (\S+)/m.exec(body) ?? [];
    call.media = { host, port: Number(/^m=audio (\d+)/m.exec(body)?.[1]) };
    setTimeout(() => this.#hangUp(call), this.#load.holdMs);
  }

  #hangUp(call: OutgoingCall): void {
    if (call.progress !== "talking") return;
    call.progress = "ending";
    this.#persist(this.#request(call, "BYE"), () => call.progress === "ending");
    setTimeout(() => this.#fail(call), ANSWER_WITHIN_MS);
  }

  #cancel(call: OutgoingCall): void {
    if (call.answeredAt !== null || call.progress === "over") return;
    this.#send(this.#request(call, "CANCEL", { transaction: "INVITE" }));
    this.#fail(call);
  }

  #fail(call: OutgoingCall): void {
    if (call.progress === "over") return;
    call.failed = true;
    call.progress = "over";
  }

  #speak(): void {
    for (const call of this.#calls.values()) {
      if (call.progress !== "talking" || call.media === null) continue;
      call.sequence += 1;
      call.rtp.writeUInt16BE(call.sequence & 0xffff, 2);
      call.rtp.writeUInt32BE(call.sequence * SAMPLES, 4);
      // Sent before this returns to the event loop or queued: the next packet of this call is 20 ms away.
      this.#caller.media.send(call.rtp, call.media.port, call.media.host);
      this.#rtpSent += 1;
    }
  }

  #allOver(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if ([...this.#calls.values()].every(({ progress }) => progress === "over")) resolve();
        else setTimeout(look, 50);
      };
      look();
    });
  }
}

/** Version 2, PCMU (RFC 3551), silence. */
function rtpPacket(ssrc: number): Buffer {
  const data = Buffer.alloc(12 + SAMPLES, 0xff);
  data.writeUInt8(0x80, 0);
  data.writeUInt8(0, 1);
  data.writeUInt32BE(ssrc, 8);
  return data;
}
