import { Registry, collectDefaultMetrics } from "prom-client";

/** One registry a process, handed to whoever counts something. Names start with `dialplane_`. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
