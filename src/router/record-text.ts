import { z } from "zod";

import { recordedReason } from "../domain/call-reasons.ts";
import { E164_FORM } from "../domain/e164.ts";
import { ATTRIBUTIONS, CALL_ENDS, type CallRecord, type E164, LEG_RESULTS } from "../domain/types.ts";

const date = z.iso.datetime().transform((text) => new Date(text));
const text = z.string();
const did = z.string().regex(E164_FORM).transform((value) => value as E164);

const leg = z.object({
  channel: text,
  destination: text,
  trunk: text,
  startedAt: date,
  answeredAt: date.nullable(),
  endedAt: date.nullable(),
  result: z.enum(LEG_RESULTS),
  hangupCause: z.int().nullable(),
});

const record = z.object({
  id: text.min(1),
  pod: text,
  did,
  pool: text,
  caller: text.nullable(),
  receivedAt: date,
  answeredAt: date.nullable(),
  bridgedAt: date.nullable(),
  endedAt: date.nullable(),
  end: z.enum(CALL_ENDS).nullable(),
  hangupCause: z.int().nullable(),
  attribution: z.enum(ATTRIBUTIONS),
  prospect: text.nullable(),
  mediaElement: text.nullable(),
  attributes: z.record(text, text),
  rule: text.nullable(),
  answeredBy: text.nullable(),
  bridge: text.nullable(),
  legs: z.array(leg),
  why: z.array(z.object({ rule: text.nullable(), matched: z.boolean(), reason: text.transform(recordedReason), message: text })),
});

/** A record as one line of text. */
export function recordText(call: CallRecord): string {
  return JSON.stringify(call);
}

/** @returns undefined for a line that was torn or written by something else */
export function parseRecordText(line: string): CallRecord | undefined {
  try {
    return record.parse(JSON.parse(line)) satisfies CallRecord;
  } catch {
    return undefined;
  }
}
