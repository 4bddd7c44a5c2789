/** Names as Kubernetes wants them: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const QUALIFIED = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

export const DNS_LABEL_RULE = "at most 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit";
export const DNS_SUBDOMAIN_RULE = "at most 253 lower-case letters, digits, dashes and dots, each part beginning and ending with a letter or digit";
export const QUALIFIED_NAME_RULE = "at most 63 letters, digits, dashes, underscores and dots, after an optional DNS prefix and a slash";
export const LABEL_VALUE_RULE = "at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit";

/** RFC 1123 label. */
export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/** RFC 1123 subdomain. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** Name of a label or annotation: `team` or `example.com/team`. */
export function isQualifiedName(text: string): boolean {
  const parts = text.split("/");
  const name = parts.pop() ?? "";
  return QUALIFIED.test(name) && parts.length <= 1 && parts.every(isDnsSubdomain);
}

export function isLabelValue(text: string): boolean {
  return LABEL_VALUE.test(text);
}
