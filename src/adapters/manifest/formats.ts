import { parseCidr } from "../../domain/ip-address.ts";

/** String formats that the API server checks in a custom resource, and what to say when one does not hold. */
export const FORMATS: Readonly<Record<string, { readonly holds: (text: string) => boolean; readonly message: string }>> = {
  date: { holds: isCalendarDate, message: "must be a real calendar date, as YYYY-MM-DD" },
  cidr: { holds: (text) => parseCidr(text) !== null, message: "must be a network in CIDR form, for example 192.0.2.0/24 or 192.0.2.7/32" },
};

/** RFC 3339 full-date that exists: 2027-02-29 does not. */
function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
