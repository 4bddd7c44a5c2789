import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startPostgres, type RunningPostgres } from "../../src/standalone/postgres-process.ts";
import { silent } from "../harness/logger.ts";
import { eventually, startProcess, type TestProcess } from "../harness/process.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");

/** Something that is killed without warning and started again. */
export interface Victim {
  readonly name: string;
  readonly kills: () => number;
  /** Resolves when it is back: on a busy machine it would otherwise be dead all the time. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** An ingress process that somebody (Kubernetes, systemd) starts again whenever it ends. */
export function keepIngress(name: string, env: NodeJS.ProcessEnv, port: number): Victim & { ready(): Promise<unknown>; faults(): readonly string[] } {
  let process_: TestProcess | undefined;
  const faults: string[] = [];
  let stopped = false;
  let kills = 0;
  const isStopped = () => stopped;
  const running = (async () => {
    while (!isStopped()) {
      process_ = startProcess([process.execPath, CLI, "ingress"], { env: { ...process.env, ...env, DIALPLANE_HTTP_PORT: String(port) } });
      await process_.exited;
      faults.push(...faultsIn(process_.output()));
      if (!isStopped()) await sleep(200);
    }
  })();
  const ready = () => eventually(`${name} serves`, () => isStopped() || serves(port), 60_000);
  return {
    name,
    ready,
    kills: () => kills,
    faults: () => faults,
    kill: async () => {
      kills += 1;
      process_?.kill("SIGKILL");
      await process_?.exited;
      await ready();
    },
    stop: async () => {
      stopped = true;
      await process_?.stop();
      await running;
    },
  };
}

/** What answered 500: no outage, however sudden, is a reason for that. */
function faultsIn(log: string): readonly string[] {
  return log.split("\n").filter((line) => line.includes('"msg":"a request failed"'));
}

function serves(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    (response) => response.ok,
    () => false,
  );
}

/** A server that is killed as by a power failure of its machine's operating system: nothing is flushed, it recovers from its log. */
export async function keepPostgres(dataDir: string): Promise<Victim & { readonly url: string }> {
  let server: RunningPostgres = await startPostgres({ dataDir, logger: silent });
  const { port, url } = server;
  let kills = 0;
  return {
    name: "Postgres",
    url,
    kills: () => kills,
    kill: async () => {
      kills += 1;
      process.kill(server.pid, "SIGKILL");
      await server.exited;
      await sleep(Math.random() * 300);
      server = await startPostgres({ dataDir, port, logger: silent });
    },
    stop: () => server.stop(),
  };
}
