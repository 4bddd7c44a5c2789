/** What a validator has to say about one field. */
export interface Finding {
  /** An error refuses the object; a warning only tells. */
  readonly severity: "error" | "warning";
  /** Names and list positions from the object's root: `["spec", "ranges", 0, "to"]`. */
  readonly path: FieldPath;
  /** Reads on after the field's name: "must ...", "may not ...". */
  readonly message: string;
  /** What is allowed, where it is a short list. */
  readonly allowed?: readonly string[];
}

export type FieldPath = readonly (string | number)[];

export function errorAt(path: FieldPath, message: string): Finding {
  return { severity: "error", path, message };
}

export function warningAt(path: FieldPath, message: string): Finding {
  return { severity: "warning", path, message };
}

/** As Kubernetes writes field paths: `spec.ranges[0].to`, `metadata.labels[example.com/team]`. */
export function fieldName(path: FieldPath): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : namePart(part, index === 0))).join("");
}

/** A name from outside is cut and its control characters are escaped. */
function namePart(name: string, first: boolean): string {
  if (/^[A-Za-z][A-Za-z0-9]{0,62}$/.test(name)) return first ? name : `.${name}`;
  return `[${JSON.stringify(name.slice(0, 80)).slice(1, -1)}]`;
}
