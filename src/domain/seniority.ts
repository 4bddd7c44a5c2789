/** What decides between two objects that want the same: the older one wins, then the first by namespace/name. */
export interface Senior {
  readonly key: string;
  readonly createdAt: Date;
}

/** For `sort`: the winner first. Never 0 for two different objects, so every replica decides alike. */
export function bySeniority(a: Senior, b: Senior): number {
  return a.createdAt.getTime() - b.createdAt.getTime() || compareText(a.key, b.key);
}

/** By code unit: independent of any locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `namespace` of `namespace/name`. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

export function nameOf(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
