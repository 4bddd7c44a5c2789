import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface RouterMetrics {
  readonly calls: Counter<"end">;
  readonly setupSeconds: Histogram;
  readonly liveCalls: Gauge;
  readonly ariConnected: Gauge;
  readonly recordQueue: Gauge;
  readonly recordsDropped: Counter;
  readonly spoolBytes: Gauge;
  readonly spoolRefused: Counter;
  readonly lookups: Counter<"outcome">;
  readonly handedBack: Counter;
  readonly shed: Counter;
  readonly limited: Counter<"limit">;
  readonly drainRefused: Counter;
  readonly unknownCalls: Counter;
  readonly strangers: Counter;
  readonly servedCalls: Counter;
}

/** Names and labels are an interface: dashboards and alerts read them. */
export function routerMetrics(registry: Registry): RouterMetrics {
  const registers = [registry];
  return {
    calls: new Counter({ name: "dialplane_router_calls_total", help: "Calls that ended, by outcome: completed, busy, no-answer, unreachable, congestion, declined, abandoned, refused, failed or max-duration", labelNames: ["end"], registers }),
    setupSeconds: new Histogram({
      name: "dialplane_router_setup_seconds",
      help: "From the call's arrival until both parties hear each other, ringing included",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10, 20, 40, 80],
      registers,
    }),
    liveCalls: new Gauge({ name: "dialplane_router_live_calls", help: "Calls that this router controls now", registers }),
    ariConnected: new Gauge({ name: "dialplane_router_ari_connected", help: "1 while the sockets to Asterisk are up", registers }),
    recordQueue: new Gauge({ name: "dialplane_router_record_queue", help: "Call records that wait to be written", registers }),
    recordsDropped: new Counter({ name: "dialplane_router_records_dropped_total", help: "Call records lost because neither memory nor disk had room", registers }),
    spoolBytes: new Gauge({ name: "dialplane_router_spool_bytes", help: "Call records on disk, in bytes", registers }),
    spoolRefused: new Counter({ name: "dialplane_router_spool_refused_total", help: "Writes and reads of the spool that failed: disk full, folder not writable, limit reached", registers }),
    lookups: new Counter({ name: "dialplane_router_lookups_total", help: "Questions to the database for which a call waits, of who is calling or whose turn it is: answered, late, failed, or shed (not asked, too many are late)", labelNames: ["outcome"], registers }),
    shed: new Counter({ name: "dialplane_router_shed_total", help: "Calls left to the dialplan's default destination because Asterisk was behind with those it had", registers }),
    limited: new Counter({
      name: "dialplane_router_limited_total",
      help: "Legs not dialled because a limit was reached, by which: calls at the destination (destination), calls on the trunk (trunk), or the trunk's calls a second (rate)",
      labelNames: ["limit"],
      registers,
    }),
    drainRefused: new Counter({ name: "dialplane_router_drain_refused_total", help: "Calls answered with 503 because this pod is being drained", registers }),
    unknownCalls: new Counter({ name: "dialplane_router_unknown_calls_total", help: "Calls answered with 404 because no pool has the number that was called", registers }),
    strangers: new Counter({ name: "dialplane_router_strangers_total", help: "Requests answered with 401 because they came from an address of no trunk", registers }),
    servedCalls: new Counter({ name: "dialplane_router_served_by_dialplan_total", help: "Calls that the dialplan served with the default destination, handed back ones included", registers }),
    handedBack: new Counter({ name: "dialplane_router_handed_back_total", help: "Calls given back to the dialplan's default destination", registers }),
  };
}
