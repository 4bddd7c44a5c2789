import type { RoutingRuleSpec, Schedule } from "../api.generated.ts";
import { validTimeZone } from "../schedule.ts";
import { errorAt, type Finding } from "./finding.ts";
import { impossibleNumber } from "./possible-number.ts";
import { sipUriFindings } from "./sip-uri.ts";

/** What schema and CEL can't know of a rule. */
export function routingRuleFindings(spec: RoutingRuleSpec): Finding[] {
  return [
    ...(spec.match.schedule === undefined ? [] : scheduleFindings(spec.match.schedule)),
    ...spec.destinations.flatMap((destination, index) => impossibleNumber(destination.number, ["spec", "destinations", index, "number"])),
    ...spec.destinations.flatMap((destination, index) => sipUriFindings(destination.sipUri, ["spec", "destinations", index, "sipUri"])),
    ...impossibleNumber(spec.callerId.fixed?.number, ["spec", "callerId", "fixed", "number"]),
  ];
}

function scheduleFindings(schedule: Schedule): Finding[] {
  if (validTimeZone(schedule.timeZone)) return [];
  return [
    errorAt(
      ["spec", "match", "schedule", "timeZone"],
      `must be a time zone of the IANA database, for example Europe/Berlin, but ${schedule.timeZone} is not known`,
    ),
  ];
}
