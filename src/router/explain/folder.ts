import { directorySource } from "../../adapters/directory/source.ts";
import type { Identity } from "../../adapters/directory/identity.ts";
import { loadSchemas } from "../../adapters/manifest/load-schemas.ts";
import { readManifests } from "../../adapters/manifest/read-manifests.ts";
import { ExpectedError, messageOf } from "../../domain/errors.ts";
import type { Declared, Logger, SourceProblem } from "../../domain/ports.ts";

/** @throws ExpectedError InvalidInput for a folder that can't be read or has a broken manifest in it */
export async function folderDeclared(directory: string, logger: Logger): Promise<Declared> {
  const schemas = await loadSchemas();
  const source = directorySource({
    directory,
    parse: (text, file) => readManifests(schemas, text, file),
    identities: { assign: (specs) => Promise.resolve(new Map([...specs.keys()].map((id) => [id, sameAge(id)]))) },
    clock: { now: () => new Date() },
    logger,
  });
  const declared = await source.read().catch((error: unknown) => {
    throw new ExpectedError("InvalidInput", `--folder must be a readable folder: ${messageOf(error)}`, { field: "--folder" });
  });
  if (declared.problems.length > 0) throw new ExpectedError("InvalidInput", `--folder must hold valid manifests:\n${declared.problems.map(problemLine).join("\n")}`);
  return declared;
}

/** Files have no age: among rules of one priority the name decides. */
function sameAge(id: string): Identity {
  return { uid: id, creationTimestamp: new Date(0).toISOString(), generation: 1, specHash: "" };
}

function problemLine({ file, document, field, message }: SourceProblem): string {
  return `  ${[document === null ? file : `${file}: document ${document}`, field, message].filter((part) => part !== null).join(": ")}`;
}
