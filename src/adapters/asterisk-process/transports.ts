import { isIPv6 } from "node:net";

import type { Listener } from "./listen-check.ts";

/** Where carriers reach an Asterisk, and what it shows them over TLS. */
export interface SipListening {
  /** IPv4 or IPv6. */
  readonly sipAddress: string;
  readonly sipPort: number;
  /** A second address, IPv6, for trunks whose host is an IPv6 address. */
  readonly sipAddress6?: string;
  readonly tls?: TlsSettings;
  /** Of the IPv4 sockets, where carriers know us by another address than the one that is bound: behind NAT. */
  readonly seenAs?: SeenAs;
}

export interface SeenAs {
  /** IPv4: what Contact, Via and SDP name. */
  readonly address: string;
  /** Whoever is in one of these (CIDR) is told the bound address. */
  readonly localNetworks: readonly string[];
}

export interface TlsSettings {
  /** PEM file of the authorities by which a carrier's certificate is verified. */
  readonly caFile: string;
  /** Port, and PEM files of who we are. Without it carriers can be called over TLS, but can't call in. */
  readonly server?: { readonly port: number; readonly certificateFile: string; readonly keyFile: string };
}

/** Nobody calls in there: Asterisk takes 5061, and where somebody else has it, TLS trunks of this instance can't be called. */
const UNCHECKED_PORT = 0;

interface Transport {
  readonly name: string;
  readonly protocol: "udp" | "tcp" | "tls";
  readonly address: string;
  readonly port: number;
}

/** `transport-udp`, `-tcp`, `-tls` for IPv4 and the same with a 6 for IPv6: a trunk's family is known by its host. */
function transportsOf({ sipAddress, sipPort, sipAddress6, tls }: SipListening): readonly Transport[] {
  const addresses = sipAddress6 === undefined ? [sipAddress] : [sipAddress, sipAddress6];
  return addresses.flatMap((address) => {
    const suffix = isIPv6(address) ? "6" : "";
    const plain = (["udp", "tcp"] as const).map((protocol) => ({ name: `transport-${protocol}${suffix}`, protocol, address, port: sipPort }));
    return tls === undefined ? plain : [...plain, { name: `transport-tls${suffix}`, protocol: "tls" as const, address, port: tls.server?.port ?? UNCHECKED_PORT }];
  });
}

/** Sections of pjsip.conf, line by line. */
export function transportLines(listening: SipListening): readonly string[] {
  return transportsOf(listening).flatMap((transport) => [
    `[${transport.name}]`,
    "type = transport",
    `protocol = ${transport.protocol}`,
    `bind = ${hostAndPort(transport)}`,
    ...(transport.protocol === "tls" ? tlsLines(listening.tls) : []),
    ...(isIPv6(transport.address) ? [] : seenAsLines(transport.address, listening.seenAs)),
    // Endpoints and their transports are reloaded while calls are up; the sockets stay.
    "allow_reload = no",
    "",
  ]);
}

/** https://docs.asterisk.org/Configuration/Channel-Drivers/SIP/Configuring-res_pjsip/Configuring-res_pjsip-to-work-through-NAT/ */
function seenAsLines(bound: string, seenAs: SeenAs | undefined): readonly string[] {
  if (seenAs === undefined) return [];
  const { address, localNetworks } = seenAs;
  // Asterisk replaces an address of its own in SDP only when that is local as well.
  const local = [`${bound}/32`, ...localNetworks];
  return [`external_signaling_address = ${address}`, `external_media_address = ${address}`, ...local.map((network) => `local_net = ${network}`)];
}

function tlsLines(tls: TlsSettings | undefined): readonly string[] {
  return [
    "method = tlsv1_2",
    "verify_server = yes",
    `ca_list_file = ${tls?.caFile ?? ""}`,
    ...(tls?.server === undefined ? [] : [`cert_file = ${tls.server.certificateFile}`, `priv_key_file = ${tls.server.keyFile}`]),
  ];
}

/** The sockets with a port that somebody else may have. */
export function sipListeners(listening: SipListening): readonly Listener[] {
  return fixedTransports(listening).map(({ protocol, address, port }) => ({ transport: protocol === "udp" ? "udp" : "tcp", address, port, purpose: "SIP" }));
}

export function fixedTransports(listening: SipListening): readonly Transport[] {
  return transportsOf(listening).filter(({ port }) => port !== UNCHECKED_PORT);
}

/** As Asterisk writes and shows it. */
export function hostAndPort({ address, port }: Pick<Transport, "address" | "port">): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
