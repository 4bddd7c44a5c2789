import type { Schedule, ScheduleExceptionWindow, Weekday } from "./api.generated.ts";

/**
 * Schedules hold by the wall clock of their time zone. An instant is turned into a wall clock, never the other way round, so
 * daylight saving needs no rule of its own: times that are skipped never come, times that are repeated hold twice.
 */

export interface WallClock {
  readonly weekday: Weekday;
  /** YYYY-MM-DD */
  readonly date: string;
  /** HH:MM, 00:00 to 23:59 */
  readonly time: string;
}

export interface ScheduleMatch {
  readonly holds: boolean;
  readonly clock: WallClock;
  /** The exception that replaced the weekly windows on this date. */
  readonly exception: boolean;
}

/** Names of the IANA database and nothing else: `Intl` also takes offsets such as "+01:00", which know no daylight saving. */
export function validTimeZone(name: string): boolean {
  if (zones.has(name)) return true;
  if (name.length > 64 || !/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/.test(name)) return false;
  try {
    zoneOf(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Windows include their first minute and exclude their end; "24:00" is the end of the day. On an exception date only that
 * date's own windows count; none means closed.
 * @throws RangeError for a time zone that `validTimeZone` refuses
 */
export function matchSchedule(schedule: Schedule, at: Date): ScheduleMatch {
  const clock = wallClock(schedule.timeZone, at);
  const exceptions = schedule.exceptionDates?.filter((exception) => exception.date === clock.date) ?? [];
  if (exceptions.length > 0) {
    const holds = exceptions.some((exception) => (exception.windows ?? []).some((window) => includes(window, clock.time)));
    return { holds, clock, exception: true };
  }
  const holds = schedule.windows.some((window) => window.days.includes(clock.weekday) && includes(window, clock.time));
  return { holds, clock, exception: false };
}

/** HH:MM compares as text; "24:00" is greater than all. */
function includes(window: ScheduleExceptionWindow, time: string): boolean {
  return window.from <= time && time < window.to;
}

/** What the clocks on the wall show at `at`. Seconds are dropped. */
export function wallClock(timeZone: string, at: Date): WallClock {
  const zone = zoneOf(timeZone);
  const minute = Math.floor(at.getTime() / 60_000);
  if (zone.last?.minute === minute) return zone.last.clock;
  const clock = read(zone.formatter, at);
  zone.last = { minute, clock };
  return clock;
}

interface Zone {
  readonly formatter: Intl.DateTimeFormat;
  /** Thousands of rules ask about the same minute: the last answer is kept. */
  last: { readonly minute: number; readonly clock: WallClock } | null;
}

/** A formatter costs about 50 microseconds and 30 kB; there are about 600 zones and names for them. */
const zones = new Map<string, Zone>();
const MOST_ZONES = 1000;

function zoneOf(timeZone: string): Zone {
  const known = zones.get(timeZone);
  if (known !== undefined) return known;
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    weekday: "long",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  const zone: Zone = { formatter, last: null };
  if (zones.size >= MOST_ZONES) zones.clear();
  zones.set(timeZone, zone);
  return zone;
}

function read(formatter: Intl.DateTimeFormat, at: Date): WallClock {
  const parts = Object.fromEntries(formatter.formatToParts(at).map((part) => [part.type, part.value]));
  const text = (name: string): string => parts[name] ?? "";
  return {
    weekday: text("weekday") as Weekday,
    date: `${text("year").padStart(4, "0")}-${text("month")}-${text("day")}`,
    time: `${text("hour")}:${text("minute")}`,
  };
}
