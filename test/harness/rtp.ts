import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

/** A telephone's audio (RFC 3550) and its keys (RFC 4733), beside a SIPp that only speaks SIP: what it says is one byte over and over. */
export interface RtpPhone extends AsyncDisposable {
  readonly port: number;
  /** Says `byte` every 20 ms from now on, to `to` or, without it, to whoever is heard first. */
  say(byte: number, to?: { readonly address: string; readonly port: number }): void;
  /** Presses a key of 0 to 9. */

  press(digit: number): void;
  /** How many packets of nothing but `byte` were received. */
  heard(byte: number): number;
  /** Keys that were pressed at the other end, each once. */
  readonly keys: readonly number[];
}

const PCMU = 0;
const EVENT = 101;
/** 20 ms at 8,000 Hz. */
const SAMPLES = 160;
const END = 0x80;
/** A key is down for so many packets; its end is told three times. */
const DOWN_PACKETS = 5;

export async function startRtpPhone(address: string): Promise<RtpPhone> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  return new Phone(socket);
}

class Phone implements RtpPhone {
  readonly #socket: Socket;
  readonly #heard = new Map<number, number>();
  readonly #events = new Map<number, number>();
  readonly #pending: { readonly payload: Buffer; readonly timestamp: number }[] = [];
  #other: { readonly address: string; readonly port: number } | undefined;
  #said: number | undefined;
  #sequence = 1;
  #timestamp = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (packet, from) => this.#receive(packet, from));
    this.#timer = setInterval(() => this.#tick(), 20);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get keys(): readonly number[] {
    return [...this.#events.values()];
  }

  say(byte: number, to?: { readonly address: string; readonly port: number }): void {
    this.#said = byte;
    this.#other ??= to;
  }

  press(digit: number): void {
    const timestamp = this.#timestamp;
    for (let n = 1; n <= DOWN_PACKETS + 3; n += 1) {
      const payload = Buffer.from([digit, n > DOWN_PACKETS ? END | 10 : 10, 0, 0]);
      payload.writeUInt16BE(Math.min(n, DOWN_PACKETS) * SAMPLES, 2);
      this.#pending.push({ payload, timestamp });
    }
  }

  heard(byte: number): number {
    return this.#heard.get(byte) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  /** A key replaces the voice while it is down. */
  #tick(): void {
    if (this.#other === undefined || this.#said === undefined) return;
    const key = this.#pending.shift();
    if (key === undefined) this.#send(PCMU, Buffer.alloc(SAMPLES, this.#said), this.#timestamp);
    else this.#send(EVENT, key.payload, key.timestamp);
    this.#timestamp += SAMPLES;
  }

  #send(type: number, payload: Buffer, timestamp: number): void {
    const header = Buffer.alloc(12);
    header.writeUInt8(0x80, 0);
    header.writeUInt8(type, 1);
    header.writeUInt16BE(this.#sequence & 0xffff, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(0x0d1a, 8);
    this.#sequence += 1;
    this.#socket.send(Buffer.concat([header, payload]), this.#other!.port, this.#other!.address);
  }

  #receive(packet: Buffer, from: RemoteInfo): void {
    this.#other ??= from;
    const type = packet.readUInt8(1) & 0x7f;
    const payload = packet.subarray(12);
    const [first = 0] = payload;
    if (type === PCMU && payload.every((byte) => byte === first)) this.#heard.set(first, this.heard(first) + 1);
    // All packets of one key carry the timestamp of its beginning.
    if (type === EVENT) this.#events.set(packet.readUInt32BE(4), first);
  }
}
