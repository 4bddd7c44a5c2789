import { createRequire } from "node:module";
import type dotI from "@dot-i/k8s-operator";

// The package is CommonJS that calls itself an ES module: what an `import` of it gives differs between Node and test runners.
const loaded = createRequire(import.meta.url)("@dot-i/k8s-operator") as typeof dotI;

/** The base class of operators. */
export const DotIOperator = loaded.default;
export const { ResourceEventType } = loaded;
