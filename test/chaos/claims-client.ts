/**
 * One of several client processes of `npm run chaos:claims`: `claims-client.ts JSON`. Asks two ingress processes for numbers and writes
 * a line of JSON for each thing it was told to a file, at once.
 */
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpConnection, postRequest, type HttpAnswer } from "../bench/http-client.ts";

export interface ClientTask {
  readonly file: string;
  readonly ports: readonly number[];
  readonly pools: readonly string[];
  readonly origin: string;
  readonly callers: number;
  /** Acknowledged claims after which it ends, once `enough` exists too: by then everybody was killed. */
  readonly claims: number;
  readonly enough: string;
  readonly deadlineMilliseconds: number;
}

export interface Visitor {
  readonly visitor: string;
  readonly device: string;
}

export type ClientLine =
  | (Visitor & { readonly type: "claim"; readonly askedAt: number; readonly pool: string; readonly mediaElement: string; readonly number: string; readonly expiresAt: string })
  | { readonly type: "exhausted" }
  | { readonly type: "failed"; readonly status: number }
  | (Visitor & { readonly type: "releasing" | "released"; readonly pool: string; readonly at: number; readonly release: number });

interface ElementLine {
  readonly pool: string;
  readonly mediaElement: string;
  readonly status: string;
  readonly number: string | null;
  readonly expiresAt: string | null;
}

/** Visitors that all callers of this process share: the same one is asked for at both ingress processes at once. */
const REMEMBERED = 300;
const RETURNING_SHARE = 0.5;
const RELEASE_SHARE = 0.08;

class Client {
  readonly #task: ClientTask;
  readonly #out: number;
  readonly #visitors: Visitor[] = [];
  #claims = 0;
  #releases = 0;

  constructor(task: ClientTask) {
    this.#task = task;
    this.#out = openSync(task.file, "a");
  }

  async run(): Promise<void> {
    const deadline = Date.now() + this.#task.deadlineMilliseconds;
    await Promise.all(Array.from({ length: this.#task.callers }, () => this.#caller(deadline)));
    closeSync(this.#out);
  }

  async #caller(deadline: number): Promise<void> {
    const connections = this.#task.ports.map((port) => new HttpConnection(port));
    while ((this.#claims < this.#task.claims || !existsSync(this.#task.enough)) && Date.now() < deadline) {
      const visitor = Math.random() < RETURNING_SHARE ? pick(this.#visitors) : undefined;
      await this.#ask(pick(connections), visitor);
      if (visitor !== undefined && Math.random() < RELEASE_SHARE) await this.#release(pick(connections), visitor);
    }
    for (const connection of connections) connection.close();
  }

  async #ask(connection: HttpConnection | undefined, visitor: Visitor | undefined): Promise<void> {
    const pools = Math.random() < 0.2 ? this.#task.pools : [pick(this.#task.pools) ?? ""];
    const elements = pools.map((pool) => ({ pool, mediaElement: `element-${Math.floor(Math.random() * 3)}` }));
    const askedAt = Date.now();
    const answer = await connection?.post(postRequest("/v1/numbers", { elements, ...visitor }, this.#task.origin));
    if (answer?.status !== 200) return this.#failed(answer);
    const body = JSON.parse(answer.body) as Visitor & { elements: readonly ElementLine[] };
    const { visitor: token, device } = body;
    for (const element of body.elements) this.#told(element, { visitor: token, device }, askedAt);
    this.#remember({ visitor: token, device });
  }

  #told({ pool, mediaElement, status, number, expiresAt }: ElementLine, visitor: Visitor, askedAt: number): void {
    if (status !== "assigned" || number === null || expiresAt === null) {
      this.#tell({ type: "exhausted" });
      return;
    }
    this.#claims += 1;
    this.#tell({ type: "claim", askedAt, ...visitor, pool, mediaElement, number, expiresAt });
  }

  async #release(connection: HttpConnection | undefined, visitor: Visitor): Promise<void> {
    const release = (this.#releases += 1);
    const pool = pick(this.#task.pools) ?? "";
    this.#tell({ type: "releasing", ...visitor, pool, at: Date.now(), release });
    const answer = await connection?.post(postRequest("/v1/release", { pool, ...visitor }, this.#task.origin));
    if (answer?.status !== 204) return this.#failed(answer);
    this.#tell({ type: "released", ...visitor, pool, at: Date.now() + 1, release });
  }

  /** A replica that is down refuses at once: whoever asks again at once only heats the room. */
  async #failed(answer: HttpAnswer | undefined): Promise<void> {
    this.#tell({ type: "failed", status: answer?.status ?? 0 });
    await sleep(20 + Math.random() * 80);
  }

  #remember(visitor: Visitor): void {
    if (this.#visitors.length < REMEMBERED) this.#visitors.push(visitor);
    else this.#visitors[Math.floor(Math.random() * REMEMBERED)] = visitor;
  }

  #tell(line: ClientLine): void {
    writeSync(this.#out, `${JSON.stringify(line)}\n`);
  }
}

function pick<T>(from: readonly T[]): T | undefined {
  return from[Math.floor(Math.random() * from.length)];
}

await new Client(JSON.parse(process.argv[2] ?? "{}") as ClientTask).run();
