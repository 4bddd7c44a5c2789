import { readFileSync } from "node:fs";
import { pino } from "pino";
import { Registry } from "prom-client";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import type { DialplanRevision, Snapshot } from "../../src/domain/ports.ts";
import type { RouterConfig } from "../../src/router/config.ts";
import { startRouter } from "../../src/router/router.ts";
import { facts } from "../domain/builders.ts";
import { MemoryStore } from "./memory-store.ts";

export interface RouterProcessInput {
  readonly config: RouterConfig;
  readonly snapshot: Snapshot;
  readonly dialplan: DialplanRevision;
  /** Where call records go; without it they are kept in memory. */
  readonly databaseUrl?: string;
  /** Who is calling is asked of a database that never answers. */
  readonly asksInVain?: boolean;
  /** The process sends itself the signal when its log says this for the first time: before what was decided is carried out. */
  readonly signalAt?: { readonly text: string; readonly signal: NodeJS.Signals };
}

/** A router as a process of its own, to be killed. The file named by the first argument says what the database would. */
const input = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as RouterProcessInput;
const revive = <T extends { readonly createdAt: Date }>(entry: T): T => ({ ...entry, createdAt: new Date(entry.createdAt) });
const snapshot: Snapshot = {
  ...input.snapshot,
  pools: input.snapshot.pools.map(revive),
  rules: input.snapshot.rules.map(revive),
  trunks: input.snapshot.trunks.map(revive),
};

let signalAt = input.signalAt;
const log = {
  write(line: string) {
    process.stdout.write(line);
    const wanted = signalAt;
    if (wanted === undefined || !line.includes(wanted.text)) return;
    signalAt = undefined;
    process.kill(process.pid, wanted.signal);
  },
};
const logger = pino({ level: "debug" }, log);
const memory = new MemoryStore(snapshot, input.dialplan, () => Promise.resolve(facts().context));
if (input.asksInVain === true) memory.context = () => new Promise(() => undefined);
if (input.databaseUrl !== undefined) {
  const { router } = createStores(connect(input.databaseUrl, logger), input.databaseUrl, logger);
  memory.saveCall = (record) => router.saveCall(record);
  memory.saveServedCalls = (records) => router.saveServedCalls(records);
  memory.openCalls = (pod, before, ids) => router.openCalls(pod, before, ids);
  memory.lostCalls = () => router.lostCalls();
  memory.reportPod = (report) => router.reportPod(report);
}
const router = startRouter(input.config, { store: memory, logger, clock: { now: () => new Date() }, registry: new Registry() });
process.once("SIGTERM", () => void router.stop().then(() => process.exit(0)));
const waiting = setInterval(() => {
  if (router.ready().ready) {
    clearInterval(waiting);
    process.stdout.write("READY\n");
  }
}, 20);
