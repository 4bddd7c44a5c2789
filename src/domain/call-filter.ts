import type { Attribution, CallEnd, CallRecord, ResourceKey } from "./types.ts";

/** Which calls a reader wants; all that is given must hold. */
export interface CallFilter {
  /** Received at or after. */
  readonly since?: Date | undefined;
  /** Received before. */
  readonly until?: Date | undefined;
  readonly pool?: ResourceKey | undefined;
  /** How the caller's number begins, with "+". */
  readonly callerPrefix?: string | undefined;
  /** A number or SIP URI that was rung, whether it answered or not. */
  readonly destination?: string | undefined;
  readonly attribution?: Attribution | undefined;
  /** `live`: in progress. */
  readonly outcome?: CallEnd | "live" | undefined;
}

/** Where a page ended: the next one begins after this call. */
export interface CallCursor {
  readonly receivedAt: Date;
  readonly id: string;
}

/** Opaque to clients. */
export function cursorOf({ receivedAt, id }: Pick<CallRecord, "receivedAt" | "id">): string {
  return Buffer.from(`${receivedAt.getTime()} ${id}`, "utf8").toString("base64url");
}

/** @returns null for what `cursorOf` can't have made */
export function parseCursor(text: string): CallCursor | null {
  const [, time, id] = /^(\d{1,15}) ([!-~]{1,128})$/.exec(Buffer.from(text, "base64url").toString("utf8")) ?? [];
  return time === undefined || id === undefined || Number(time) > LATEST ? null : { receivedAt: new Date(Number(time)), id };
}

/** The last millisecond of the year 9999: Postgres and JavaScript know it both. */
const LATEST = 253_402_300_799_999;
