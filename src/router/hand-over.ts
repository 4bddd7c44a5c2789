import { setTimeout as sleep } from "node:timers/promises";

import type { Calls } from "./calls.ts";

/** Asterisk needs some milliseconds; what it has not done by then is settled by the next router. */
const HAND_OVER_MS = 1_000;

/** Before the router ends: callers who are not through to anybody yet go to the dialplan's default destination, at once. */
export async function handOver(calls: Pick<Calls, "all" | "dispatch">): Promise<void> {
  const deadline = performance.now() + HAND_OVER_MS;
  for (const { id } of calls.all()) calls.dispatch(id, { type: "Stopping" });
  while (calls.all().some(({ kind }) => kind === "ending") && performance.now() < deadline) await sleep(10);
}
