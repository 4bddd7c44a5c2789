import type { PoolSelector, RoutingRuleSpec, Schedule } from "../api.generated.ts";
import { validTimeZone } from "../schedule.ts";
import { destinationFindings, impossibleNumber } from "./destination.ts";
import { errorAt, type Finding } from "./finding.ts";
import { isQualifiedName, QUALIFIED_NAME_RULE } from "./names.ts";

/** What schema and CEL can't know of a rule. */
export function routingRuleFindings(spec: RoutingRuleSpec): Finding[] {
  const fixed = spec.callerId.fixed;
  return [
    ...(spec.poolSelector === undefined ? [] : selectorFindings(spec.poolSelector)),
    ...(spec.match.schedule === undefined ? [] : scheduleFindings(spec.match.schedule)),
    ...spec.destinations.flatMap((destination, index) => destinationFindings(destination, ["spec", "destinations", index])),
    ...(fixed === undefined ? [] : impossibleNumber(fixed.number, ["spec", "callerId", "fixed", "number"])),
  ];
}

function selectorFindings(selector: PoolSelector): Finding[] {
  return Object.keys(selector.matchLabels ?? {})
    .filter((key) => !isQualifiedName(key))
    .map((key) => errorAt(["spec", "poolSelector", "matchLabels", key], `must have as its name ${QUALIFIED_NAME_RULE}`));
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
