import { expect, test } from "vitest";

import { startProcess } from "../harness/process.ts";

test("this V8 knows the flag by which the heap is collected seldom", async () => {
  // An unknown flag is no error for V8: it says so on stderr, and goes on without.
  const script = `import { collectSeldom } from ${JSON.stringify(new URL("../../src/shared/heap.ts", import.meta.url).href)}; collectSeldom();`;
  const program = startProcess([process.execPath, "--input-type=module", "-e", script]);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.output()).toBe("");
});
