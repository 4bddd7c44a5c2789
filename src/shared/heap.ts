import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap grow to five times what was in use at the last full collection before the next one, instead of V8's 1.3 to 2 times: a fifth of
 * them. A full collection holds up what a process does for 20 to 60 ms where its helpers share few cores, which is several calls in a row.
 * V8's limit of the heap (a share of the container's memory) still holds. docs/benchmarks-history.md, "Call set-up".
 */
export function collectSeldom(): void {
  setFlagsFromString("--heap-growing-percent=400");
}
