import { readConfig, type ConfigSection } from "./asterisk-reader.ts";

/** Something that must exist in a running Asterisk when the revision is loaded. */
export interface DialplanProbe {
  readonly context: string;
  readonly exten: string;
}

/**
 * One probe a context, hence also one a pool: a number that its first extension matches. Derived from the content itself, so that
 * a pod needs nothing else to prove what it runs.
 *
 * @param content of a `DialplanRevision`
 * @throws ExpectedError InvalidInput when the content is cut off or not as `renderDialplan` writes it
 */
export function dialplanProbes(content: string): readonly DialplanProbe[] {
  return readConfig(content).flatMap(probesOf);
}

function probesOf({ name, entries }: ConfigSection): DialplanProbe[] {
  const first = entries.find(([key]) => key === "exten");
  const exten = first === undefined ? undefined : /^([^,]+),1,/.exec(first[1])?.[1];
  return exten === undefined ? [] : [{ context: name, exten: exampleOf(exten) }];
}

/** The lowest text that an extension matches (https://docs.asterisk.org, "Pattern Matching"). */
function exampleOf(exten: string): string {
  if (!exten.startsWith("_")) return exten;
  return exten
    .slice(1)
    .replaceAll(/\[(.)[^\]]*\]/g, "$1")
    .replaceAll("X", "0")
    .replaceAll("Z", "1")
    .replace("!", "");
}
