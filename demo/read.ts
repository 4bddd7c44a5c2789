import type { Association } from "../src/adapters/postgres/read-associations.ts";
import type { ResourceStatus } from "../src/domain/statuses.ts";
import type { CallRecord } from "../src/domain/types.ts";

/** As JSON gives it: dates are text. */
export type Json<T> = T extends Date ? string : T extends string ? (string extends T ? string : T) : T extends readonly (infer Item)[] ? readonly Json<Item>[] : JsonObject<T>;
type JsonObject<T> = T extends object ? { readonly [K in keyof T]: Json<T[K]> } : T;

/** What anybody can read over HTTP: the walk proves its steps with nothing else. */
export interface Reader {
  resources(): Promise<readonly Json<ResourceStatus>[]>;
  calls(): Promise<readonly Json<CallRecord>[]>;
  history(did: string): Promise<readonly Json<Association>[]>;
}

export function reader(url: string): Reader {
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(url + path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return (await response.json()) as T;
  };
  return {
    resources: async () => (await get<{ resources: readonly Json<ResourceStatus>[] }>("/v1/resources")).resources,
    calls: async () => (await get<{ calls: readonly Json<CallRecord>[] }>("/v1/calls")).calls,
    history: async (did) => (await get<{ associations: readonly Json<Association>[] }>(`/v1/numbers/${encodeURIComponent(did)}/history`)).associations,
  };
}
