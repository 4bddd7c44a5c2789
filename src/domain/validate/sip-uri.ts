import { assertSipUri } from "../asterisk-names.ts";
import { ExpectedError } from "../errors.ts";
import { errorAt, type FieldPath, type Finding } from "./finding.ts";

/** What the pattern can't know of a SIP URI: whether what stands in brackets is an address. */
export function sipUriFindings(uri: string | undefined, path: FieldPath): Finding[] {
  if (uri === undefined) return [];
  try {
    assertSipUri(uri);
    return [];
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    return [errorAt(path, error.message)];
  }
}
