import type { SourceProblem } from "../domain/ports.ts";
import type { ResourceStatus } from "../domain/statuses.ts";

interface Seen {
  readonly resources: readonly ResourceStatus[];
  readonly problems: readonly SourceProblem[];
}

const INTERVAL_MILLISECONDS = 250;

/** Prints a line for every object whose readiness changed and for every new problem of a manifest. The answer stops it. */
export function printStatuses(look: () => Seen, out: Pick<NodeJS.WritableStream, "write">): () => void {
  let before = new Set<string>();
  const timer = setInterval(() => {
    const now = new Set(linesOf(look()));
    for (const line of now) if (!before.has(line)) out.write(`${line}\n`);
    before = now;
  }, INTERVAL_MILLISECONDS);
  return () => clearInterval(timer);
}

/** One line an object, like `kubectl get`: kind, name, Ready, reason, message. */
export function linesOf({ resources, problems }: Seen): string[] {
  return [...resources.map(statusLine), ...problems.map(problemLine)];
}

function statusLine({ kind, metadata, status }: ResourceStatus): string {
  const ready = status.conditions.find((condition) => condition.type === "Ready");
  const name = `${kind} ${metadata.namespace}/${metadata.name}`;
  return `${name.padEnd(36)} ${(ready?.status === "True" ? "Ready" : `Not ready: ${ready?.reason ?? "Pending"}`).padEnd(10)} ${ready?.message ?? ""}`;
}

function problemLine({ file, document, field, message }: SourceProblem): string {
  const place = [file, document === null ? null : `document ${document}`, field].filter((part) => part !== null).join(": ");
  return `refused, the last good state stays: ${place}: ${message}`;
}
