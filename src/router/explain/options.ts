import { parseArgs } from "node:util";
import { isDay } from "../../domain/days.ts";
import { parseE164 } from "../../domain/e164.ts";
import { ExpectedError, messageOf } from "../../domain/errors.ts";
import type { Assumptions } from "../../domain/explain.ts";
import { ATTRIBUTIONS, type E164 } from "../../domain/types.ts";
import { databaseUrl, DATABASE_URL_FORM } from "../../shared/variables.ts";

export const USAGE = `usage: dialplane explain --from NUMBER|withheld --to NUMBER [SOURCE] [ASSUMPTIONS] [--json]

Says where a call would go and why: every rule of the number's pool, the order of the destinations, what each far end is shown.

SOURCE, what is declared (the database when DATABASE_URL is set):
  --database             the database at DATABASE_URL, with what it knows of caller and number; nothing is changed there
  --folder DIR           manifests of a folder, as standalone would take them
  --cluster              the cluster of the current kubeconfig, read with your own rights; Secrets are not read
    --kubeconfig FILE, --context NAME, --namespace NAME

ASSUMPTIONS about the call:
  --at TIME              RFC 3339 with offset, 2026-06-01T12:00:00Z; now unless told
  --visitor UUID         the visitor who was shown the number
  --attributes K=V,...   of the visitor's session, on top of what is known
  --media-elements A,B   what the number was shown with
  --attribution WORD     exclusive, stale, repeat, overflow, ambiguous, none or unavailable
  --repeat-caller        this caller called before
  --random NUMBER        from 0 up to but not 1: what the strategy Weighted draws; 0 unless told

Exit code 0: explained, also when the call would be refused. 1: no pool has the number, or database or cluster don't answer. 2: wrong arguments,
broken manifests, a folder or kubeconfig that can't be read.
`;

export type SourceOption =
  | { readonly type: "database" }
  | { readonly type: "folder"; readonly directory: string }
  | { readonly type: "cluster"; readonly kubeconfig: string | undefined; readonly context: string | undefined; readonly namespace: string | undefined };

export interface ExplainOptions {
  readonly source: SourceOption;
  readonly caller: E164 | null;
  readonly did: E164;
  readonly at: Date;
  readonly assumed: Assumptions;
  readonly random: number;
  readonly json: boolean;
}

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  database: { type: "boolean" },
  folder: { type: "string" },
  cluster: { type: "boolean" },
  kubeconfig: { type: "string" },
  context: { type: "string" },
  namespace: { type: "string" },
  at: { type: "string" },
  visitor: { type: "string" },
  attributes: { type: "string", multiple: true },
  "media-elements": { type: "string", multiple: true },
  attribution: { type: "string" },
  "repeat-caller": { type: "boolean" },
  random: { type: "string" },
  json: { type: "boolean" },
} as const;

type Values = ReturnType<typeof values>;

function values(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new ExpectedError("InvalidInput", messageOf(error));
  }
}

/** @throws ExpectedError InvalidInput naming the option and what is allowed */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv, now: Date): ExplainOptions {
  const given = values(args);
  return {
    source: sourceOf(given, env),
    caller: given.from === "withheld" ? null : numberOf("--from", given.from, ", or withheld"),
    did: numberOf("--to", given.to),
    at: given.at === undefined ? now : timeOf(given.at),
    assumed: assumptionsOf(given),
    random: randomOf(given.random),
    json: given.json ?? false,
  };
}

function refused(option: string, message: string): never {
  throw new ExpectedError("InvalidInput", `${option} ${message}`, { field: option });
}

function sourceOf(given: Values, env: NodeJS.ProcessEnv): SourceOption {
  const { database, folder, cluster, kubeconfig, context, namespace } = given;
  const named = [database, folder, cluster].filter((value) => value !== undefined && value !== false).length;
  if (named > 1) refused("--database, --folder, --cluster", "must not be given together");
  const ofCluster = [kubeconfig, context, namespace].some((value) => value !== undefined);
  if (ofCluster && cluster !== true) refused("--kubeconfig, --context, --namespace", "may be given with --cluster only");
  if (folder !== undefined) return { type: "folder", directory: folder };
  if (cluster === true) return { type: "cluster", kubeconfig, context, namespace };
  const url = env["DATABASE_URL"] ?? "";
  if (databaseUrl.safeParse(url).success) return { type: "database" };
  return url === "" && database !== true
    ? refused("--database, --folder or --cluster", "must be given, or DATABASE_URL be set")
    : refused("DATABASE_URL", DATABASE_URL_FORM);
}

function numberOf(option: string, text: string | undefined, also = ""): E164 {
  return parseE164(text ?? "") ?? refused(option, `must be "+" and 7 to 15 digits, the first not 0, such as +12025550110${also}`);
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

function timeOf(text: string): Date {
  const time = new Date(text);
  return TIME.test(text) && isDay(text) && !Number.isNaN(time.getTime()) ? time : refused("--at", "must be a time with offset, such as 2026-06-01T12:00:00Z");
}

function randomOf(text: string | undefined): number {
  const number = text === undefined ? 0 : /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  return number >= 0 && number < 1 ? number : refused("--random", "must be a number from 0 up to but not 1");
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function assumptionsOf(given: Values): Assumptions {
  const { visitor, attribution, attributes, "media-elements": elements, "repeat-caller": repeatCaller } = given;
  if (visitor !== undefined && !UUID.test(visitor)) refused("--visitor", "must be a visitor's id, a UUID in lower case");
  const known = ATTRIBUTIONS.find((one) => one === attribution);
  if (attribution !== undefined && known === undefined) refused("--attribution", `must be one of ${ATTRIBUTIONS.join(", ")}`);
  return {
    visitor,
    attribution: known,
    attributes: attributes === undefined ? undefined : Object.fromEntries(attributes.flatMap((list) => list.split(",")).map(attributeOf)),
    mediaElements: elements?.flatMap((list) => list.split(",")).map(elementOf),
    repeatCaller,
  };
}

function attributeOf(pair: string): [string, string] {
  const [, name, value] = /^([A-Za-z0-9_.-]{1,64})=(.{0,512})$/.exec(pair) ?? [];
  return name === undefined || value === undefined ? refused("--attributes", "must be name=value,... with names of letters, digits, dots, dashes or underscores") : [name, value];
}

function elementOf(name: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name) ? name : refused("--media-elements", "must be names of letters, digits, dots, dashes or underscores");
}
