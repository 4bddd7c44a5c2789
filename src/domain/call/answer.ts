import type { Call } from "./states.ts";

/** The caller is being answered and brought together with the winner. Before that the callee alone hears the whisper, or may be about to be hung up. */
export function isConnecting(call: Call): boolean {
  return call.kind === "bridging" && !call.whispering && !call.unproven;
}

/** When the caller was answered, which is not yet when somebody has picked up. */
export function callerAnsweredAt(call: Call): Date | null {
  return call.kind === "bridging" && !isConnecting(call) ? null : call.answeredAt;
}
