/** An address as its bytes, 4 (RFC 791) or 16 (RFC 4291) of them, in network order. */
export type IpAddress = readonly number[];

export interface Cidr {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Dotted decimal without leading zeros, or IPv6 text (RFC 4291 section 2.2) without zone; null when it is neither. */
export function parseIpAddress(text: string): IpAddress | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Network in CIDR form (RFC 4632); host bits may be set, as in Go's net.ParseCIDR, which the Kubernetes API server uses. */
export function parseCidr(text: string): Cidr | null {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = parseIpAddress(match?.[1] ?? "");
  const prefixLength = Number(match?.[2]);
  return address === null || prefixLength > address.length * 8 ? null : { address, prefixLength };
}

function parseIpv4(text: string): IpAddress | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.map(Number);
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === null || head === undefined || tail === null) return null;
  if (tail === undefined) return head.length === 16 ? head : null;
  const missing = 16 - head.length - tail.length;
  return missing < 2 ? null : [...head, ...Array<number>(missing).fill(0), ...tail];
}

/** Groups of 16 bits; the last two of the address may be written as IPv4. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    const ipv4 = last && index === groups.length - 1 && group.includes(".") ? parseIpv4(group) : null;
    if (ipv4 !== null) bytes.push(...ipv4);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff);
    else return null;
  }
  return bytes.length <= 16 ? bytes : null;
}
