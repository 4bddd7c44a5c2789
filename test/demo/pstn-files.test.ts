import { describe, expect, test } from "vitest";

import { wireEvidence } from "../../demo/pstn/call-result.ts";
import { extensionsConfiguration } from "../../demo/pstn/configuration.ts";
import { parseCapture } from "../../demo/pstn/sip-capture.ts";
import { parseSipMessage } from "../../demo/pstn/sip-message.ts";
import { parseWav } from "../../demo/pstn/wav.ts";

function wav(samples: readonly number[], change: { rate?: number; dataSize?: number; extra?: Buffer } = {}): Buffer {
  const data = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => data.writeInt16LE(sample, index * 2));
  const header = Buffer.alloc(36);
  header.write("RIFF", 0);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(change.rate ?? 8_000, 24);
  header.writeUInt16LE(16, 34);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(change.dataSize ?? data.length);
  return Buffer.concat([header, change.extra ?? Buffer.alloc(0), Buffer.from("data"), size, data]);
}

describe("a recording", () => {
  test("is read to samples from -1 to 1", () => {
    expect(parseWav(wav([0, 16_384, -32_768]))).toEqual({ samples: Float64Array.from([0, 0.5, -1]), complete: true });
  });
  test("may hold other chunks before its data", () => {
    const extra = Buffer.from("LIST\x03\0\0\0abc\0", "latin1");
    expect(parseWav(wav([16_384], { extra })).samples).toEqual(Float64Array.from([0.5]));
  });
  test.each([
    ["its size is not filled in", wav([1, 2], { dataSize: 0 }), 2],
    ["its size says more than there is", wav([1, 2], { dataSize: 400 }), 2],
    ["its header is not written", Buffer.from("RIFF"), 0],
    ["it is empty", Buffer.alloc(0), 0],
  ])("is incomplete while %s", (_, file, length) => {
    const { samples, complete } = parseWav(file);
    expect([samples.length, complete]).toEqual([length, false]);
  });
  test("of another format is refused", () => {
    expect(() => parseWav(wav([1], { rate: 16_000 }))).toThrow("16000 Hz");
    expect(() => parseWav(Buffer.alloc(44))).toThrow("not a WAV file");
  });
});

/** A capture as Asterisk writes it: Ethernet, IPv4, UDP; its own address is zero. */
function capture(...packets: { source: string; target: string; text: string; micros: number }[]): Buffer {
  const records = packets.map(({ source, target, text, micros }) => {
    const payload = Buffer.from(text);
    const frame = Buffer.alloc(14 + 20 + 8);
    frame.writeUInt8(0x45, 14);
    [source, target].forEach((end, index) => {
      const [address = "", port] = end.split(":");
      address.split(".").forEach((octet, at) => frame.writeUInt8(Number(octet), 26 + index * 4 + at));
      frame.writeUInt16BE(Number(port), 34 + index * 2);
    });
    const header = Buffer.alloc(16);
    header.writeUInt32LE(100, 0);
    header.writeUInt32LE(micros, 4);
    header.writeUInt32LE(frame.length + payload.length, 8);
    return Buffer.concat([header, frame, payload]);
  });
  return Buffer.concat([Buffer.alloc(24), ...records]);
}

describe("a capture", () => {
  const invite = "INVITE sip:+1@h SIP/2.0\r\nCall-ID: a\r\nCSeq: 7 INVITE\r\nX-Call-Reference: ref\r\nVia: one\r\nvia: two\r\n three\r\n\r\nbody";
  const busy = "SIP/2.0 486 Busy Here\r\nCall-ID: a\r\nCSeq: 7 INVITE\r\n\r\n";
  const whole = capture(
    { source: "0.0.0.0:0", target: "127.0.0.1:5060", text: invite, micros: 1_000 },
    { source: "127.0.0.1:5060", target: "0.0.0.0:0", text: "\r\n\r\n", micros: 2_000 },
    { source: "127.0.0.1:5060", target: "0.0.0.0:0", text: busy, micros: 3_500 },
  );

  test("becomes SIP messages with direction, time and headers", () => {
    const [first, second, ...more] = parseCapture(whole);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ direction: "sent", peer: "127.0.0.1:5060", status: null, callId: "a", cseq: "7 INVITE", atMs: 100_001 });
    expect(first?.header("VIA")).toEqual(["one", "two three"]);
    expect(second).toMatchObject({ direction: "received", status: 486, startLine: "SIP/2.0 486 Busy Here" });
  });
  test.each([1, 30, 41])("leaves out a record that lacks its last %i bytes", (missing) => {
    expect(parseCapture(whole.subarray(0, whole.length - missing))).toHaveLength(1);
  });
  test("shows the responses to one call's INVITE", () => {
    expect(wireEvidence(parseCapture(whole), "ref")).toEqual({
      callId: "a",
      responses: [{ code: 486, reason: "Busy Here", atMs: 2.5 }],
      answered: false,
      endedBy: null,
    });
    expect(wireEvidence(parseCapture(whole), "another")).toEqual({ callId: "", responses: [], answered: false, endedBy: null });
  });
  test("skips what is no SIP message", () => {
    expect(parseSipMessage("GET / HTTP/1.1\r\n\r\n", { atMs: 0, direction: "sent", peer: "" })).toBeNull();
  });
});

test.each(["12025550110", "+1202,1,System(id)", "+0123456789", "+1202555\nexten => x", ""])("the number %j reaches no dialplan", (number) => {
  expect(() => extensionsConfiguration({ [number]: "answer" }, "/tmp/x")).toThrow("must be a number in E.164");
});
