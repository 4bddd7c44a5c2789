import { isPossiblePhoneNumber } from "libphonenumber-js";
import { errorAt, warningAt, type FieldPath, type Finding } from "./finding.ts";

/** A number that no phone network can reach is probably mistyped, but numbering plans change faster than software. */
export function impossibleNumber(number: string, path: FieldPath): Finding[] {
  return isPossiblePhoneNumber(number) ? [] : [warningAt(path, `should be a possible number of its country, but ${number} has a wrong length`)];
}

/** What pattern and schema leave open about who is called. */
export function destinationFindings(destination: { readonly number?: string; readonly sipUri?: string }, path: FieldPath): Finding[] {
  const { number, sipUri } = destination;
  if (number !== undefined) return impossibleNumber(number, [...path, "number"]);
  return sipUri === undefined ? [] : portFindings(sipUri, [...path, "sipUri"]);
}

function portFindings(uri: string, path: FieldPath): Finding[] {
  const port = impossiblePort(uri);
  return port === null ? [] : [errorAt(path, `must have a port from 1 to 65535, but has ${port}`)];
}

/** What stands after the host of a URI or an origin and is no port; null when nothing does. */
export function impossiblePort(uri: string): string | null {
  const port = /:(\d{1,5})(?:;[^:]*)?$/.exec(uri)?.[1];
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65535) ? null : port;
}
