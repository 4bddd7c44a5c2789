import type { RegistrationState } from "../../domain/api.generated.ts";
import { ExpectedError } from "../../domain/errors.ts";
import { basicAuthorization, send, type AriHttpOptions } from "./http.ts";

/** One of res_prometheus' lines. The address is of our own making (domain/pjsip.ts), percent-encoded, so that it holds neither quotes nor backslashes. */
const REGISTRATION = /^asterisk_pjsip_outbound_registration_status\{[^}]*\busername="([^"]*)"[^}]*\} ([0-9.]+)$/gm;
/** "0=Unregistered; 1=Registered; 2=Rejected", and a carrier that stays silent is told as rejected. Before the first answer there is no line. */
const STATES: Readonly<Record<string, RegistrationState>> = { "0": "Refused", "1": "Registered", "2": "Refused" };

/**
 * What became of the last REGISTER, by the address that was registered. ARI does not tell: res_prometheus does, beside it on the same port. An
 * Asterisk without that module answers 404, and nothing is known then.
 * @throws ExpectedError Unavailable when nobody listens, no answer came in time, or it was refused
 */
export async function registrationStates(options: AriHttpOptions): Promise<ReadonlyMap<string, RegistrationState>> {
  const { status, text } = await send(new URL("metrics", options.url), {
    headers: { authorization: basicAuthorization(options) },
    signal: AbortSignal.timeout(options.requestTimeoutMs ?? 5_000),
  });
  if (status === 404) return new Map();
  if (status !== 200) throw new ExpectedError("Unavailable", `Asterisk's metrics could not be read: answered ${status}`);
  return new Map([...text.matchAll(REGISTRATION)].map(([, address = "", state = ""]) => [address, STATES[state] ?? "Unknown"]));
}
