import { setTimeout as sleep } from "node:timers/promises";
import { HttpConnection, type HttpAnswer } from "./http-client.ts";

export interface Load {
  readonly port: number;
  readonly milliseconds: number;
  /** The next request to send. */
  readonly next: () => string;
  readonly onAnswer?: (answer: HttpAnswer) => void;
}

export interface LoadResult {
  readonly answers: readonly Pick<HttpAnswer, "status" | "milliseconds">[];
  readonly seconds: number;
}

/** Each connection asks again as soon as it is answered. */
export async function closedLoad(load: Load & { readonly connections: number }): Promise<LoadResult> {
  const answers: LoadResult["answers"][number][] = [];
  const start = performance.now();
  const end = start + load.milliseconds;
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const connection = new HttpConnection(load.port);
      while (performance.now() < end) {
        const answer = await connection.post(load.next());
        answers.push({ status: answer.status, milliseconds: answer.milliseconds });
        load.onAnswer?.(answer);
      }
      connection.close();
    }),
  );
  return { answers, seconds: (performance.now() - start) / 1000 };
}

/**
 * Requests come when they come, whether or not those before were answered: what overload is like. A request that finds all
 * connections busy waits for one, and that counts.
 */
export async function openLoad(load: Load & { readonly perSecond: number; readonly mostConnections: number }): Promise<LoadResult> {
  const answers: LoadResult["answers"][number][] = [];
  const idle: HttpConnection[] = Array.from({ length: load.mostConnections }, () => new HttpConnection(load.port));
  const all = [...idle];
  const due: number[] = [];
  let underWay = 0;
  const ask = async (connection: HttpConnection, start: number) => {
    underWay += 1;
    const answer = await connection.post(load.next(), start);
    underWay -= 1;
    answers.push({ status: answer.status, milliseconds: answer.milliseconds });
    load.onAnswer?.(answer);
    idle.push(connection);
    send();
  };
  const send = () => {
    for (let connection = idle.at(-1); connection !== undefined && due.length > 0; connection = idle.at(-1)) {
      idle.pop();
      void ask(connection, due.shift() ?? performance.now());
    }
  };
  const start = performance.now();
  let sent = 0;
  for (let now = start; now < start + load.milliseconds; now = performance.now()) {
    for (; sent < ((now - start) / 1000) * load.perSecond; sent += 1) due.push(start + (sent / load.perSecond) * 1000);
    send();
    await sleep(2);
  }
  while (underWay > 0 || due.length > 0) await sleep(5);
  // With the time that the last ones took: what was asked for too late to be answered in time is no throughput.
  const seconds = (performance.now() - start) / 1000;
  for (const connection of all) connection.close();
  return { answers, seconds };
}
