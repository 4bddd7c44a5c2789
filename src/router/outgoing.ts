import type { Origination } from "../adapters/ari/telephony.ts";
import { dialString, outgoingEndpoint } from "../domain/asterisk-names.ts";
import { outgoingIdentity } from "../domain/call/caller-id.ts";
import type { CallCommand } from "../domain/call/commands.ts";
import type { Call } from "../domain/call/states.ts";
import { ExpectedError } from "../domain/errors.ts";
import type { RoutingTable } from "../domain/routing-table.ts";

/** The number is one that may be seen; without this the leg takes over that the caller hides another one, and calls as Anonymous. */
const SHOWN = {
  "CALLERID(name)": "",
  "CALLERID(pres)": "allowed_not_screened",
  "CONNECTEDLINE(name,i)": "",
  "CONNECTEDLINE(pres,i)": "allowed_not_screened",
};

/**
 * How a leg is dialled by the trunks of now. Every part of it was parsed or made by us.
 *
 * @throws ExpectedError NotFound when the trunk is not there (any more), InvalidInput for a destination out of format
 */
export function originationOf(command: Extract<CallCommand, { type: "Originate" }>, call: Call, table: RoutingTable | null): Origination {
  const { attempt, channel, callerId, absoluteTimeoutSeconds } = command;
  const trunk = table?.trunks.get(attempt.trunk);
  if (trunk === undefined || call.origin === null) {
    throw new ExpectedError("NotFound", `trunk ${attempt.trunk} of destination ${attempt.name} does not exist`);
  }
  const { from, variables } = outgoingIdentity(trunk.spec, callerId, call.origin);
  return {
    channel,
    endpoint: dialString(attempt.destination, outgoingEndpoint(trunk, attempt.destination, call.id)),
    callerId: from,
    ringTimeoutSeconds: attempt.ringTimeoutSeconds,
    originator: call.inbound.channel,
    variables: { ...variables, ...SHOWN, "TIMEOUT(absolute)": String(absoluteTimeoutSeconds) },
  };
}
