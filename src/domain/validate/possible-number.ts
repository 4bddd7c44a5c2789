import { isPossiblePhoneNumber } from "libphonenumber-js";
import { warningAt, type FieldPath, type Finding } from "./finding.ts";

/** A number that no phone network can reach is probably mistyped, but numbering plans change faster than software. @param number undefined: none is given */
export function impossibleNumber(number: string | undefined, path: FieldPath): Finding[] {
  if (number === undefined || isPossiblePhoneNumber(number)) return [];
  return [warningAt(path, `should be a possible number of its country, but ${number} has a wrong length`)];
}
