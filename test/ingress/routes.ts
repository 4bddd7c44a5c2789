import type { Express } from "express";

/** What of Express' router (package router 2) is looked at. */
interface Layer {
  readonly route?: { readonly path: string | readonly string[]; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: { readonly stack?: readonly Layer[] };
  readonly slash: boolean;
  match(path: string): boolean;
}

/** Where routers are hung up: a layer only tells whether a path is below it. */
const mounts = ["/v1"];

/** Every route of the application as `POST /v1/numbers`, with parameters as OpenAPI writes them. */
export function routesOf(app: Express): ReadonlySet<string> {
  return new Set(routesBelow((app.router as unknown as { readonly stack: readonly Layer[] }).stack, ""));
}

function routesBelow(layers: readonly Layer[], base: string): readonly string[] {
  return layers.flatMap((layer) => {
    if (layer.route !== undefined) return namesOf(layer.route, base);
    return layer.handle.stack === undefined ? [] : routesBelow(layer.handle.stack, base + mountOf(layer));
  });
}

function namesOf({ path, methods }: NonNullable<Layer["route"]>, base: string): readonly string[] {
  return [path].flat().flatMap((one) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${base}${one.replaceAll(/:(\w+)/g, "{$1}")}`));
}

function mountOf(layer: Layer): string {
  if (layer.slash) return "";
  const mount = mounts.find((path) => layer.match(path));
  if (mount === undefined) throw new Error(`a router is mounted where this helper doesn't know: add it to ${mounts.join(", ")}`);
  return mount;
}
