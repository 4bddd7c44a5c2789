import { parseCidr } from "../../domain/ip-address.ts";

/** String formats that the API server checks in a custom resource, and what to say when one does not hold. */
export const FORMATS: Readonly<Record<string, { readonly holds: (text: string) => boolean; readonly message: string }>> = {
  cidr: { holds: (text) => parseCidr(text) !== null, message: "must be a network in CIDR form, for example 192.0.2.0/24 or 192.0.2.7/32" },
};
