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
  /** The first is the scarce one. */
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
  | (Visitor & { readonly type: "claim"; readonly askedAt: number; readonly answeredAt: number; readonly pool: string; readonly mediaElement: string; readonly number: string; readonly expiresAt: string })
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
/** Of the requests: for the pool that is nearly always exhausted, the first; for all pools at once; the others are for one of the rest. */
const SCARCE_SHARE = 0.06;
const ALL_POOLS_SHARE = 0.06;
/** As a load balancer does it: a replica that broke off is left alone for so long, if there is another. */
const AVOID_MILLISECONDS = 300;
const RELEASE_SHARE = 0.08;

interface Replica {
  readonly connection: HttpConnection;
  avoidUntil: number;
}

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
    const replicas = this.#task.ports.map((port) => ({ connection: new HttpConnection(port), avoidUntil: 0 }));
    while ((this.#claims < this.#task.claims || !existsSync(this.#task.enough)) && Date.now() < deadline) {
      const visitor = Math.random() < RETURNING_SHARE ? pick(this.#visitors) : undefined;
      await this.#ask(replicas, visitor);
      if (visitor !== undefined && Math.random() < RELEASE_SHARE) await this.#release(replicas, visitor);
    }
    for (const { connection } of replicas) connection.close();
  }

  async #post(replicas: readonly Replica[], path: string, body: object): Promise<HttpAnswer> {
    const alive = replicas.filter(({ avoidUntil }) => avoidUntil < Date.now());
    const replica = pick(alive.length > 0 ? alive : replicas);
    if (replica === undefined) throw new Error("a client needs a port to ask");
    const answer = await replica.connection.post(postRequest(path, body, this.#task.origin));
    if (answer.status === 0) replica.avoidUntil = Date.now() + AVOID_MILLISECONDS;
    return answer;
  }

  async #ask(replicas: readonly Replica[], visitor: Visitor | undefined): Promise<void> {
    const pools = poolsToAsk(this.#task.pools, Math.random());
    const elements = pools.map((pool) => ({ pool, mediaElement: `element-${Math.floor(Math.random() * 3)}` }));
    const askedAt = Date.now();
    const answer = await this.#post(replicas, "/v1/numbers", { elements, ...visitor });
    if (answer.status !== 200) return this.#failed(answer);
    const answeredAt = Date.now();
    const body = JSON.parse(answer.body) as Visitor & { elements: readonly ElementLine[] };
    const { visitor: token, device } = body;
    for (const element of body.elements) this.#told(element, { visitor: token, device }, { askedAt, answeredAt });
    this.#remember({ visitor: token, device });
  }

  #told({ pool, mediaElement, status, number, expiresAt }: ElementLine, visitor: Visitor, times: { readonly askedAt: number; readonly answeredAt: number }): void {
    if (status !== "assigned" || number === null || expiresAt === null) {
      this.#tell({ type: "exhausted" });
      return;
    }
    this.#claims += 1;
    this.#tell({ type: "claim", ...times, ...visitor, pool, mediaElement, number, expiresAt });
  }

  async #release(replicas: readonly Replica[], visitor: Visitor): Promise<void> {
    const release = (this.#releases += 1);
    const pool = pick(this.#task.pools) ?? "";
    this.#tell({ type: "releasing", ...visitor, pool, at: Date.now(), release });
    const answer = await this.#post(replicas, "/v1/release", { pools: [pool], ...visitor });
    if (answer.status !== 204) return this.#failed(answer);
    this.#tell({ type: "released", ...visitor, pool, at: Date.now() + 1, release });
  }

  /** Whoever is refused and asks again at once only heats the room. */
  async #failed({ status }: HttpAnswer): Promise<void> {
    this.#tell({ type: "failed", status });
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

/** @param chance from 0 to 1 */
function poolsToAsk(pools: readonly string[], chance: number): readonly string[] {
  if (chance < ALL_POOLS_SHARE) return pools;
  const [scarce = "", ...rest] = pools;
  return [chance < ALL_POOLS_SHARE + SCARCE_SHARE ? scarce : (pick(rest) ?? scarce)];
}

function pick<T>(from: readonly T[]): T | undefined {
  return from[Math.floor(Math.random() * from.length)];
}

await new Client(JSON.parse(process.argv[2] ?? "{}") as ClientTask).run();
