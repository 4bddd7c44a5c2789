import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Schedule, Weekday } from "../../src/domain/api.generated.ts";
import { matchSchedule, validTimeZone, wallClock } from "../../src/domain/schedule.ts";

const EVERY_DAY: readonly Weekday[] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WORKDAYS = EVERY_DAY.slice(0, 5);
const daily = (timeZone: string, from: string, to: string): Schedule => ({ timeZone, windows: [{ days: EVERY_DAY, from, to }] });
const office: Schedule = {
  timeZone: "Europe/Berlin",
  windows: [{ days: WORKDAYS, from: "09:00", to: "17:30" }],
  exceptionDates: [{ date: "2026-12-24", windows: [{ from: "09:00", to: "12:00" }] }, { date: "2026-12-25" }, { date: "2026-12-26", windows: [{ from: "10:00", to: "11:00" }] }],
};

describe("an office in Berlin", () => {
  test.each([
    ["the first minute is inside", "2026-06-01T07:00:00Z", true],
    ["the second before is not", "2026-06-01T06:59:59Z", false],
    ["the last second is inside", "2026-06-01T15:29:59Z", true],
    ["the end is outside", "2026-06-01T15:30:00Z", false],
    ["in winter it opens an hour later by UTC", "2026-12-01T07:30:00Z", false],
    ["and is open then", "2026-12-01T08:00:00Z", true],
    ["Saturday is closed", "2026-06-06T10:00:00Z", false],
    ["the Monday of Berlin begins on the Sunday of UTC, but not the office hours", "2026-05-31T22:30:00Z", false],
    ["Christmas Eve has hours of its own", "2026-12-24T10:59:00Z", true],
    ["which replace the weekly ones", "2026-12-24T11:00:00Z", false],
    ["Christmas Day is closed", "2026-12-25T10:00:00Z", false],
    ["an exception may open on a Saturday", "2026-12-26T09:30:00Z", true],
    ["the exception's date is the zone's, not UTC's", "2026-12-23T23:30:00Z", false],
  ])("%s", (_, at, holds) => {
    expect(matchSchedule(office, new Date(at)).holds).toBe(holds);
  });

  test("the answer says what the clock showed and whether an exception decided", () => {
    expect(matchSchedule(office, new Date("2026-12-25T10:05:00Z"))).toEqual({
      holds: false,
      exception: true,
      clock: { weekday: "Friday", date: "2026-12-25", time: "11:05" },
    });
  });
});

describe("daylight saving and odd offsets", () => {
  test.each([
    // Berlin, 2026-03-29: 01:59 CET is followed by 03:00 CEST.
    ["the hour that is skipped in spring never comes: just before", daily("Europe/Berlin", "02:00", "03:00"), "2026-03-29T00:59:59Z", false],
    ["the hour that is skipped in spring never comes: just after", daily("Europe/Berlin", "02:00", "03:00"), "2026-03-29T01:00:00Z", false],
    ["a window that begins in the skipped hour begins after it", daily("Europe/Berlin", "02:30", "05:00"), "2026-03-29T01:00:00Z", true],
    // Berlin, 2026-10-25: 02:00 to 02:59 comes twice.
    ["the hour that is repeated in autumn holds the first time", daily("Europe/Berlin", "02:00", "03:00"), "2026-10-25T00:30:00Z", true],
    ["the hour that is repeated in autumn holds the second time", daily("Europe/Berlin", "02:00", "03:00"), "2026-10-25T01:30:00Z", true],
    ["and no third time", daily("Europe/Berlin", "02:00", "03:00"), "2026-10-25T02:00:00Z", false],
    ["New York changes on another date than Berlin", daily("America/New_York", "09:00", "10:00"), "2026-03-09T13:30:00Z", true],
    ["half an hour: Kolkata", daily("Asia/Kolkata", "09:00", "09:30"), "2026-06-01T03:45:00Z", true],
    ["three quarters: Kathmandu", daily("Asia/Kathmandu", "09:00", "09:15"), "2026-06-01T03:15:00Z", true],
    ["three quarters: Kathmandu, a minute early", daily("Asia/Kathmandu", "09:00", "09:15"), "2026-06-01T03:14:59Z", false],
    ["Lord Howe saves only half an hour: summer, UTC+11", daily("Australia/Lord_Howe", "09:00", "09:01"), "2026-01-15T22:00:00Z", true],
    ["Lord Howe saves only half an hour: winter, UTC+10:30", daily("Australia/Lord_Howe", "09:00", "09:01"), "2026-06-15T22:30:00Z", true],
    ["Apia is a day ahead of Honolulu", { ...daily("Pacific/Apia", "00:00", "24:00"), windows: [{ days: ["Tuesday"], from: "00:00", to: "24:00" }] }, "2026-06-01T12:00:00Z", true],
    ["Honolulu is a day behind Apia", { ...daily("Pacific/Honolulu", "00:00", "24:00"), windows: [{ days: ["Monday"], from: "00:00", to: "24:00" }] }, "2026-06-01T12:00:00Z", true],
    ["the last minute of the day belongs to a window to 24:00", daily("UTC", "22:00", "24:00"), "2026-06-01T23:59:59Z", true],
    ["midnight belongs to the next day", daily("UTC", "22:00", "24:00"), "2026-06-02T00:00:00Z", false],
    ["midnight is 00:00, not 24:00", daily("UTC", "00:00", "00:01"), "2026-06-02T00:00:00Z", true],
    ["29 February", { ...daily("UTC", "00:00", "24:00"), exceptionDates: [{ date: "2028-02-29" }] }, "2028-02-29T12:00:00Z", false],
  ] as const)("%s", (_, schedule, at, holds) => {
    expect(matchSchedule(schedule, new Date(at)).holds).toBe(holds);
  });
});

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca"];
const anInstant = fc.date({ min: new Date("1990-01-01T00:00:00Z"), max: new Date("2060-01-01T00:00:00Z"), noInvalidDate: true });
const aTime = fc.nat(24 * 60 - 1).map((minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`);

describe("for any zone and instant", () => {
  test("of a day cut in two, exactly one part holds", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), anInstant, aTime, (zone, at, cut) => {
        const [early, late] = [daily(zone, "00:00", cut), daily(zone, cut, "24:00")];
        expect(matchSchedule(early, at).holds).toBe(!matchSchedule(late, at).holds);
      }),
    );
  });

  test("the wall clock read back as UTC differs from the instant by the zone's offset, a multiple of 15 minutes within 14 hours", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), anInstant, (zone, at) => {
        const { date, time, weekday } = wallClock(zone, at);
        const local = new Date(`${date}T${time}:00Z`);
        const offset = (local.getTime() - Math.floor(at.getTime() / 60_000) * 60_000) / 60_000;
        expect(Math.abs(offset) % 15).toBe(0);
        expect(Math.abs(offset)).toBeLessThanOrEqual(14 * 60);
        expect(EVERY_DAY[(local.getUTCDay() + 6) % 7]).toBe(weekday);
      }),
    );
  });

  test("asking about other zones and instants in between changes nothing", () => {
    const first = wallClock("Europe/Berlin", new Date("2026-06-01T10:00:30Z"));
    wallClock("Europe/Berlin", new Date("2027-01-01T10:00:00Z"));
    wallClock("UTC", new Date("2026-06-01T10:00:30Z"));
    expect(wallClock("Europe/Berlin", new Date("2026-06-01T10:00:59Z"))).toEqual(first);
  });
});

describe("validTimeZone", () => {
  test.each([
    ["a city", "Europe/Berlin", true],
    ["three parts", "America/Argentina/Buenos_Aires", true],
    ["UTC", "UTC", true],
    ["a city that isn't there", "Europe/Atlantis", false],
    ["an offset", "+01:00", false],
    ["nothing", "", false],
    ["a path", "../../etc/passwd", false],
    ["ten kilobytes", "A".repeat(10_000), false],
  ])("%s", (_, name, valid) => {
    expect(validTimeZone(name)).toBe(valid);
  });
});
