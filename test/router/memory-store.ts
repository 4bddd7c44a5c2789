import type { DialplanRevision, PodReport, Revision, RouterStore, SeatRequest, Snapshot } from "../../src/domain/ports.ts";
import type { CallContext, CallRecord } from "../../src/domain/types.ts";

/** The router's port to the database, held in memory: what it reads is set by the test, what it writes is kept. */
export class MemoryStore implements RouterStore {
  state: { snapshot: Snapshot; dialplan: DialplanRevision | null };
  context: () => Promise<CallContext>;
  readonly records: CallRecord[] = [];
  readonly reports: PodReport[] = [];
  readonly removed: string[] = [];
  readonly asked: Parameters<RouterStore["callContext"]>[0][] = [];
  #listeners = new Set<() => void>();
  onSave: ((record: CallRecord) => Promise<void>) | undefined;

  constructor(snapshot: Snapshot, dialplan: DialplanRevision | null, context: () => Promise<CallContext>) {
    this.state = { snapshot, dialplan };
    this.context = context;
  }

  revision(): Promise<Revision> {
    return Promise.resolve(this.state.snapshot);
  }

  snapshot(): Promise<Snapshot> {
    return Promise.resolve(this.state.snapshot);
  }

  /** As a database that can't tell. */
  changes(): Promise<null> {
    return Promise.resolve(null);
  }

  dialplan(): Promise<DialplanRevision | null> {
    return Promise.resolve(this.state.dialplan);
  }

  dialplanHash(): Promise<string | null> {
    return Promise.resolve(this.state.dialplan?.hash ?? null);
  }

  removePod(pod: string): Promise<void> {
    this.removed.push(pod);
    return Promise.resolve();
  }

  reportPod(report: PodReport): Promise<void> {
    this.reports.push(report);
    return Promise.resolve();
  }

  callContext(input: Parameters<RouterStore["callContext"]>[0]): Promise<CallContext> {
    this.asked.push(input);
    return this.context();
  }

  callContexts(questions: Parameters<RouterStore["callContexts"]>[0]): Promise<readonly CallContext[]> {
    return Promise.all(questions.map((question) => this.callContext(question)));
  }

  /** Calls that each rule took, by its uid. */
  readonly turns = new Map<string, number>();

  nextTurn(rule: string): Promise<number | null> {
    const before = this.turns.get(rule) ?? 0;
    this.turns.set(rule, before + 1);
    return Promise.resolve(before);
  }

  async saveCall(record: CallRecord): Promise<void> {
    await this.onSave?.(record);
    this.records.push(record);
  }

  /** Of calls that the dialplan served by itself. */
  readonly served: CallRecord[] = [];

  saveServedCalls(records: readonly CallRecord[]): Promise<void> {
    this.served.push(...records);
    return Promise.resolve();
  }

  openCalls(pod: string | null, receivedBefore: Date, ids: readonly string[]): Promise<readonly CallRecord[]> {
    const last = new Map(this.records.map((record) => [record.id, record]));
    return Promise.resolve([...last.values()].filter((record) => (record.pod === pod || ids.includes(record.id)) && record.endedAt === null && record.receivedAt < receivedBefore));
  }

  lostCalls(): Promise<readonly CallRecord[]> {
    return Promise.resolve([]);
  }

  /** Channels that hold a seat. */
  readonly seats = new Map<string, SeatRequest>();

  /** Which limit is reached, as Postgres would say it. */
  takeSeat(seat: SeatRequest): Promise<"destination" | "trunk" | null> {
    const taken = [...this.seats.values()];
    const reached = (limit: number | null, of: "destination" | "trunk") => limit !== null && taken.filter((one) => one[of] === seat[of]).length >= limit;
    if (reached(seat.destinationLimit, "destination")) return Promise.resolve("destination");
    if (reached(seat.trunkLimit, "trunk")) return Promise.resolve("trunk");
    this.seats.set(seat.channel, seat);
    return Promise.resolve(null);
  }

  keepSeats(channels: readonly string[]): Promise<readonly string[]> {
    return Promise.resolve(channels.filter((channel) => this.seats.has(channel)));
  }

  leaveSeat(channel: string): Promise<void> {
    this.seats.delete(channel);
    return Promise.resolve();
  }

  onChange(listener: () => void): Promise<() => Promise<void>> {
    this.#listeners.add(listener);
    return Promise.resolve(() => Promise.resolve(void this.#listeners.delete(listener)));
  }

  change(state: Partial<MemoryStore["state"]>): void {
    this.state = { ...this.state, ...state };
    for (const listener of this.#listeners) listener();
  }

  /** Final records, one a call. */
  final(): readonly CallRecord[] {
    return this.records.filter(({ endedAt }) => endedAt !== null);
  }
}
