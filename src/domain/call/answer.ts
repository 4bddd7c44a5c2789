import type { Bridging, Call } from "./states.ts";

/** The caller is being answered and brought together with the winner. Before that the callee alone hears the whisper, or may be about to be hung up. */
export function isConnecting(call: Call): call is Bridging {
  return call.kind === "bridging" && !call.whispering && !call.unproven;
}
