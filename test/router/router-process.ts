import { readFileSync } from "node:fs";
import { pino } from "pino";
import { Registry } from "prom-client";

import type { DialplanRevision, Snapshot } from "../../src/domain/ports.ts";
import type { RouterConfig } from "../../src/router/config.ts";
import { startRouter } from "../../src/router/main.ts";
import { facts } from "../domain/builders.ts";
import { MemoryStore } from "./memory-store.ts";

/** A router as a process of its own, to be killed. The file named by the first argument says what the database would. */
const input = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as { config: RouterConfig; snapshot: Snapshot; dialplan: DialplanRevision };
const revive = <T extends { readonly createdAt: Date }>(entry: T): T => ({ ...entry, createdAt: new Date(entry.createdAt) });
const snapshot: Snapshot = {
  ...input.snapshot,
  pools: input.snapshot.pools.map(revive),
  rules: input.snapshot.rules.map(revive),
  trunks: input.snapshot.trunks.map(revive),
};
const store = new MemoryStore(snapshot, input.dialplan, () => Promise.resolve(facts().context));
const router = startRouter(input.config, { store, logger: pino({ level: "info" }), clock: { now: () => new Date() }, registry: new Registry() });
const waiting = setInterval(() => {
  if (router.ready().ready) {
    clearInterval(waiting);
    process.stdout.write("READY\n");
  }
}, 20);
