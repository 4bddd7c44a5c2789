import { setTimeout as sleep } from "node:timers/promises";

import type { CallWorld } from "./call-world.ts";
import { signalFamily } from "./program.ts";
import type { Wire } from "./wire.ts";

export interface Fault {
  readonly name: string;
  /** Resolves when what was broken works again or is on its way to. */
  readonly run: (world: CallWorld) => Promise<void>;
}

/** How long what is broken stays so, in milliseconds. */
export interface FaultTimes {
  readonly short: number;
  /** Beyond the patience of both ends of a connection. */
  readonly long: number;
  /** Of each answer of a slow database. */
  readonly slow: number;
}

/** A killed router is started again at once, or after a while, as a kubelet does. */
export function callFaults({ short, long, slow }: FaultTimes): readonly Fault[] {
  const [brief, prolonged, late] = [short, long, slow].map((milliseconds) => `${milliseconds / 1000} s`);
  return [
    { name: "router killed, another at once", run: (world) => replaceRouter(world, "SIGKILL", 0) },
    { name: `router killed, another after ${brief}`, run: (world) => replaceRouter(world, "SIGKILL", short) },
    { name: "router restarted (SIGTERM)", run: (world) => replaceRouter(world, "SIGTERM", 0) },
    { name: `router stopped for ${brief}`, run: (world) => stopRouter(world, short) },
    { name: `router stopped for ${prolonged}`, run: (world) => stopRouter(world, long) },
    { name: `network to Asterisk cut for ${brief}`, run: ({ ariWire }) => broken(ariWire, "cut", short) },
    { name: `network to Asterisk silent for ${prolonged}`, run: ({ ariWire }) => broken(ariWire, "silence", long) },
    { name: `network to Postgres cut for ${brief}`, run: ({ databaseWire }) => broken(databaseWire, "cut", short) },
    { name: `network to Postgres silent for ${prolonged}`, run: ({ databaseWire }) => broken(databaseWire, "silence", long) },
    { name: `Postgres answers ${late} later for ${prolonged}`, run: ({ databaseWire }) => slowed(databaseWire, slow, long) },
    { name: `Postgres killed, back after ${brief}`, run: (world) => killPostgres(world, short) },
    { name: `Postgres stopped for ${brief}`, run: (world) => stopPostgres(world, short) },
  ];
}

async function replaceRouter(world: CallWorld, signal: "SIGKILL" | "SIGTERM", awayMs: number): Promise<void> {
  const router = world.router();
  router.kill(signal);
  await router.exited;
  await sleep(awayMs);
  world.startRouter();
}

async function stopRouter(world: CallWorld, milliseconds: number): Promise<void> {
  const router = world.router();
  router.kill("SIGSTOP");
  await sleep(milliseconds);
  router.kill("SIGCONT");
}

async function broken(wire: Wire, how: "cut" | "silence", milliseconds: number): Promise<void> {
  wire[how]();
  await sleep(milliseconds);
  wire.mend();
}

async function slowed(wire: Wire, each: number, milliseconds: number): Promise<void> {
  wire.delay(each);
  await sleep(milliseconds);
  wire.mend();
}

async function killPostgres(world: CallWorld, awayMs: number): Promise<void> {
  const postgres = world.postgres();
  process.kill(postgres.pid, "SIGKILL");
  await postgres.exited;
  await sleep(awayMs);
  await world.startPostgres();
}

async function stopPostgres(world: CallWorld, milliseconds: number): Promise<void> {
  const { pid } = world.postgres();
  await signalFamily(pid, "SIGSTOP");
  await sleep(milliseconds);
  await signalFamily(pid, "SIGCONT");
}
