import { z } from "zod";

import { parseCidr } from "../../domain/ip-address.ts";
import { commaSeparated, whole } from "../../shared/variables.ts";
import type { SipListening } from "./transports.ts";

/** Variables that say where an Asterisk is reached, whoever starts it. */

const networksMessage = "must be a list of networks (CIDR) such as 10.0.0.0/8";
/** Those that are never routed on the Internet (RFC 1918, RFC 6598), and this machine. */
const localNetworks = z
  .string()
  .max(2_000, networksMessage)
  .default("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8")
  .transform(commaSeparated)
  .refine((networks) => networks.every((network) => parseCidr(network)?.address.length === 4), networksMessage);
const pemFile = z.string().regex(/^\/[^\s;]+$/, "must be the absolute path of a PEM file");
const port = (preset: number) => whole(1, 65_535, preset);

export const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: "must be an IPv4 or IPv6 address" });

export const sipVariables = {
  DIALPLANE_SIP_PORT: port(5060),
  /** Behind NAT: the address that carriers see, and the networks in which nobody needs it. */
  DIALPLANE_SIP_PUBLIC_ADDRESS: z.ipv4("must be an IPv4 address").optional(),
  DIALPLANE_SIP_LOCAL_NETWORKS: localNetworks,
  /** A second address, for trunks whose host is an IPv6 address. */
  DIALPLANE_SIP_ADDRESS6: z.ipv6("must be an IPv6 address").optional(),
  /** PEM files. Without certificate and key carriers can be called over TLS but can't call in, and the port is not used. */
  DIALPLANE_SIP_TLS_CERTIFICATE: pemFile.optional(),
  DIALPLANE_SIP_TLS_KEY: pemFile.optional(),
  DIALPLANE_SIP_TLS_PORT: port(5061),
  DIALPLANE_SIP_TLS_CA: pemFile.default("/etc/ssl/certs/ca-certificates.crt"),
  DIALPLANE_RTP_PORT_START: port(20_000),
  DIALPLANE_RTP_PORT_END: port(20_999),
};

type SipVariables = z.infer<z.ZodObject<typeof sipVariables>>;

/** What no variable can say alone. */
export function checkSip(env: SipVariables, context: z.RefinementCtx): void {
  const fault = (name: keyof SipVariables, message: string) => context.addIssue({ code: "custom", path: [name], message });
  if ((env.DIALPLANE_SIP_TLS_CERTIFICATE === undefined) !== (env.DIALPLANE_SIP_TLS_KEY === undefined)) {
    fault("DIALPLANE_SIP_TLS_KEY", "must be set together with DIALPLANE_SIP_TLS_CERTIFICATE");
  }
  if (env.DIALPLANE_RTP_PORT_START >= env.DIALPLANE_RTP_PORT_END) fault("DIALPLANE_RTP_PORT_END", "must be greater than DIALPLANE_RTP_PORT_START");
}

export function sipListening(read: SipVariables & { readonly DIALPLANE_SIP_ADDRESS: string }): SipListening {
  const { DIALPLANE_SIP_PUBLIC_ADDRESS: publicAddress, DIALPLANE_SIP_LOCAL_NETWORKS: networks } = read;
  const { DIALPLANE_SIP_ADDRESS6: sipAddress6, DIALPLANE_SIP_TLS_CERTIFICATE: certificateFile, DIALPLANE_SIP_TLS_KEY: keyFile } = read;
  return {
    sipAddress: read.DIALPLANE_SIP_ADDRESS,
    sipPort: read.DIALPLANE_SIP_PORT,
    ...(sipAddress6 === undefined ? {} : { sipAddress6 }),
    ...(publicAddress === undefined ? {} : { seenAs: { address: publicAddress, localNetworks: networks } }),
    tls: {
      caFile: read.DIALPLANE_SIP_TLS_CA,
      ...(certificateFile === undefined || keyFile === undefined ? {} : { server: { port: read.DIALPLANE_SIP_TLS_PORT, certificateFile, keyFile } }),
    },
  };
}

export function rtpPorts(read: SipVariables): { readonly start: number; readonly end: number } {
  return { start: read.DIALPLANE_RTP_PORT_START, end: read.DIALPLANE_RTP_PORT_END };
}
