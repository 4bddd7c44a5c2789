import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface IngressMetrics {
  readonly elements: Counter<"status">;
  readonly seconds: Histogram;
  readonly openStreams: Gauge;
  readonly pushes: Counter;
  readonly underWay: Gauge;
  readonly refused: Counter<"reason">;
}

/** @throws Error when the registry has metrics of these names already */
export function createIngressMetrics(registry: Registry): IngressMetrics {
  const registers = [registry];
  return {
    elements: new Counter({
      name: "dialplane_ingress_elements_total",
      help: "Media elements answered, by what they show: assigned, overflow or unchanged.",
      labelNames: ["status"],
      registers,
    }),
    seconds: new Histogram({
      name: "dialplane_ingress_numbers_seconds",
      help: "Time from a request for numbers to its answer.",
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    openStreams: new Gauge({ name: "dialplane_ingress_open_streams", help: "Devices connected to this process, by stream.", registers }),
    pushes: new Counter({ name: "dialplane_ingress_pushes_total", help: "Numbers pushed to streams of this process.", registers }),
    underWay: new Gauge({ name: "dialplane_ingress_requests_under_way", help: "Requests accepted and not answered yet.", registers }),
    refused: new Counter({
      name: "dialplane_ingress_refused_total",
      help: "Requests refused before they were looked at: capacity (503) or rate (429); and new visitors beyond what an address may bring: new-visitors (their page keeps its own number).",
      labelNames: ["reason"],
      registers,
    }),
  };
}
