import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { AmiClient } from "./ami-client.ts";
import { parseSipMessage, type WireMessage } from "./sip-message.ts";

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET_HEADER = 14;
/** What Asterisk writes in place of its own address. */
const UNKNOWN = "0.0.0.0:0";

export interface SipCapture {
  /** Everything that was on the wire so far. */
  messages(): Promise<readonly WireMessage[]>;
}

/** Has Asterisk capture its SIP traffic into files below `dir`. */
export async function startCapture(ami: AmiClient, dir: string): Promise<SipCapture> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const seen: WireMessage[] = [];
  let files = 0;
  // Asterisk holds back the last 4 kB of a file until it is closed, and closes it when the next one is opened.
  const openNext = async () => {
    const closed = fileName(dir, files);
    files += 1;
    await ami.action("Command", { Command: `pjsip set logger pcap ${fileName(dir, files)}` });
    return closed;
  };
  await openNext();
  await ami.action("Command", { Command: "pjsip set logger verbose off" });
  await ami.action("Command", { Command: "pjsip set logger on" });
  let turn: Promise<unknown> = Promise.resolve();
  const messages = async () => {
    seen.push(...parseCapture(await readFile(await openNext())));
    return [...seen];
  };
  return {
    messages: () => {
      const next = turn.then(messages);
      turn = next.catch(() => undefined);
      return next;
    },
  };
}

function fileName(dir: string, index: number): string {
  return join(dir, `sip-${String(index).padStart(5, "0")}.pcap`);
}

/**
 * Reads the packet capture that Asterisk's `pjsip set logger pcap` writes (libpcap format, Ethernet frames with IPv4 and UDP;
 * it writes TCP the same way). A record that is still being written is left out.
 */
export function parseCapture(capture: Buffer): WireMessage[] {
  const messages: WireMessage[] = [];
  let offset = FILE_HEADER;
  while (offset + RECORD_HEADER <= capture.length) {
    const size = capture.readUInt32LE(offset + 8);
    const frame = capture.subarray(offset + RECORD_HEADER, offset + RECORD_HEADER + size);
    if (frame.length < size) {
      break;
    }
    const atMs = capture.readUInt32LE(offset) * 1_000 + capture.readUInt32LE(offset + 4) / 1_000;
    const message = parseFrame(frame, atMs);
    if (message !== null) {
      messages.push(message);
    }
    offset += RECORD_HEADER + size;
  }
  return messages;
}

function parseFrame(frame: Buffer, atMs: number): WireMessage | null {
  const ip = frame.subarray(ETHERNET_HEADER);
  const version = ip.length === 0 ? 0 : ip.readUInt8(0) >> 4;
  const ipHeader = version === 4 ? (ip.readUInt8(0) & 15) * 4 : 0;
  if (ipHeader < 20 || ip.length < ipHeader + 8) {
    return null;
  }
  const address = (at: number) => [...ip.subarray(at, at + 4)].join(".");
  const udp = ip.subarray(ipHeader);
  const source = `${address(12)}:${udp.readUInt16BE(0)}`;
  const sent = source === UNKNOWN;
  const peer = sent ? `${address(16)}:${udp.readUInt16BE(2)}` : source;
  return parseSipMessage(udp.toString("utf8", 8), { atMs, direction: sent ? "sent" : "received", peer });
}
