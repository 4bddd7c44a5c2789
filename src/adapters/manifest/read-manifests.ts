import type { Credentials, SourceProblem } from "../../domain/ports.ts";
import { API, type AnyResource } from "../../domain/resources.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { errorAt, fieldName, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import { isRecord } from "../../shared/json.ts";
import type { Schemas } from "./load-schemas.ts";
import { readSecret } from "./secret.ts";
import { validateResource } from "./validate-resource.ts";
import { parseManifests, type ManifestDocument } from "./yaml-documents.ts";

/** What is wrong with, or worth knowing of, one field of one document. */
export interface ManifestProblem extends SourceProblem {
  /** 1-based, null where it can't be told. */
  readonly line: number | null;
  /** `RoutingRule default/sales`, null where the document is not that far. */
  readonly object: string | null;
  readonly allowed?: readonly string[];
}

/** What a file declares. With any problem the caller should take nothing of it. */
export interface Manifests {
  /** How many objects it holds, of whatever kind and whether they are valid or not. */
  readonly objects: number;
  readonly resources: readonly AnyResource[];
  /** By `namespace/name` of the Secret. */
  readonly credentials: ReadonlyMap<ResourceKey, Credentials>;
  /** What is wrong with a Secret, by `namespace/name`: problems only where a SipTrunk names it. All others are somebody else's. */
  readonly secretProblems: ReadonlyMap<ResourceKey, readonly ManifestProblem[]>;
  readonly problems: readonly ManifestProblem[];
  readonly warnings: readonly ManifestProblem[];
  /** Objects of other APIs, which stand beside ours in many a repository: `Namespace shop`. */
  readonly passedOver: readonly string[];
}

/** More than a person reads at once: a file of 10,000 bad numbers is one mistake. */
const MAX_PROBLEMS_A_DOCUMENT = 20;

interface Collected {
  objects: number;
  readonly resources: AnyResource[];
  readonly credentials: Map<ResourceKey, Credentials>;
  readonly secretProblems: Map<ResourceKey, readonly ManifestProblem[]>;
  readonly problems: ManifestProblem[];
  readonly warnings: ManifestProblem[];
  readonly passedOver: string[];
}

/**
 * Reads one file of manifests.
 * @param file its name in messages
 */
export function readManifests(schemas: Schemas, text: string, file: string): Manifests {
  const { documents, problems } = parseManifests(text);
  const collected: Collected = {
    objects: 0,
    resources: [],
    credentials: new Map(),
    secretProblems: new Map(),
    problems: problems.map((problem) => ({ ...problem, file, field: null, object: null })),
    warnings: [],
    passedOver: [],
  };
  const seen = new Map<string, number>();
  for (const document of documents) readDocument({ schemas, file, seen }, document, collected);
  return collected;
}

interface Context {
  readonly schemas: Schemas;
  readonly file: string;
  /** Document number by object. */
  readonly seen: Map<string, number>;
}

function readDocument(context: Context, document: ManifestDocument, collected: Collected): void {
  const { value } = document;
  const items = itemsOf(value);
  if (items !== null) {
    items.forEach((item, index) => readDocument(context, itemIn(document, item, index), collected));
    return;
  }
  collected.objects += 1;
  if (isForeign(context.schemas, value)) {
    collected.passedOver.push(objectOf(value, "") ?? "an object without a name");
    return;
  }
  const refuse = (findings: readonly Finding[]): void => void collected.problems.push(...problemsOf(context.file, document, findings));
  const object = objectOf(value);
  const earlier = object === null ? undefined : context.seen.get(object);
  if (object !== null && earlier === undefined) context.seen.set(object, document.number);
  const again = earlier === undefined ? [] : [errorAt(["metadata", "name"], `must be unique, but document ${earlier} declares the same object`)];
  if (isRecord(value) && value["kind"] === "Secret") {
    takeSecret(context.file, { document, secret: value, again }, collected);
  } else if (again.length > 0) {
    refuse(again);
  } else {
    const { warnings, errors } = takeResource(context.schemas, document, collected);
    collected.warnings.push(...problemsOf(context.file, document, warnings));
    refuse(errors);
  }
}

function takeResource(schemas: Schemas, document: ManifestDocument, collected: Collected): Record<"warnings" | "errors", readonly Finding[]> {
  const misread = document.misread([]);
  const validation = validateResource(schemas, document.value);
  const { warnings } = validation;
  if (!validation.ok) {
    const said = new Set(misread.map(({ path }) => fieldName(path)));
    return { warnings, errors: [...misread, ...validation.errors.filter(({ path }) => !said.has(fieldName(path)))] };
  }
  if (misread.length === 0) collected.resources.push(validation.resource);
  return { warnings, errors: misread };
}

function itemIn(document: ManifestDocument, value: unknown, index: number): ManifestDocument {
  const inside = (path: FieldPath): FieldPath => ["items", index, ...path];
  return { number: document.number, value, lineOf: (path) => document.lineOf(inside(path)), misread: (object) => document.misread(inside(object)) };
}

/** Of what `kubectl get -o yaml` writes of several objects. */
function itemsOf(value: unknown): readonly unknown[] | null {
  return isRecord(value) && value["apiVersion"] === "v1" && value["kind"] === "List" && Array.isArray(value["items"]) ? value["items"] : null;
}

/** One of our kinds under another API is not: there the API is mistyped. */
function isForeign(schemas: Schemas, value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== "string" || apiVersion === "" || typeof kind !== "string" || kind === "" || kind === "Secret" || schemas.has(kind)) return false;
  return !apiVersion.startsWith(`${API.group}/`);
}

interface FoundSecret {
  readonly document: ManifestDocument;
  readonly secret: Record<string, unknown>;
  /** That another document declares it. */
  readonly again: readonly Finding[];
}

function takeSecret(file: string, { document, secret, again }: FoundSecret, collected: Collected): void {
  const { key, credentials, lacking, errors } = readSecret(secret);
  if (lacking.length > 0) return;
  const found = problemsOf(file, document, again.length > 0 ? again : [...document.misread([]), ...errors]);
  if (key === null) collected.problems.push(...found);
  else if (found.length > 0) collected.secretProblems.set(key, [...(collected.secretProblems.get(key) ?? []), ...found]);
  else if (credentials !== null) collected.credentials.set(key, credentials);
}

function problemsOf(file: string, document: ManifestDocument, findings: readonly Finding[]): ManifestProblem[] {
  const common = { file, document: document.number, object: objectOf(document.value) };
  const shown = findings.slice(0, MAX_PROBLEMS_A_DOCUMENT).map(({ path, message, allowed }) => ({
    ...common,
    line: document.lineOf(path),
    field: path.length === 0 ? null : fieldName(path),
    message,
    ...(allowed === undefined ? {} : { allowed }),
  }));
  const hidden = findings.length - shown.length;
  return hidden > 0 ? [...shown, { ...common, line: null, field: null, message: `has ${hidden} more problems` }] : shown;
}

/** `RoutingRule default/sales`, from whatever is there; null when there is no name to call it by. @param preset before the name where no namespace is given */
function objectOf(value: unknown, preset = "default/"): string | null {
  if (!isRecord(value) || !isRecord(value["metadata"])) return null;
  const { name, namespace } = value["metadata"];
  if (typeof value["kind"] !== "string" || typeof name !== "string") return null;
  return printable(`${value["kind"]} ${typeof namespace === "string" ? `${namespace}/` : preset}${name}`);
}

function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?").slice(0, 350);
}
