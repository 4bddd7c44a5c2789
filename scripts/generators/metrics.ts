import { Registry } from "prom-client";
import { createIngressMetrics } from "../../src/ingress/metrics.ts";
import { operatorMetrics } from "../../src/operator/metrics.ts";
import { routerMetrics } from "../../src/router/metrics.ts";

const HEAD = `<!-- Made by npm run generate from the metrics.ts of each program. DO NOT EDIT. -->
# Metrics

For Prometheus, at \`/metrics\`: operator and router on \`DIALPLANE_HEALTH_PORT\`, ingress and \`standalone\` on
\`DIALPLANE_HTTP_PORT\`. \`standalone\` has those of router and ingress. Besides, each process has what prom-client tells of
Node.js (\`process_*\`, \`nodejs_*\`, the event loop's delay among them).

What is worth waking somebody for:

| alert when | because |
|---|---|
| \`dialplane_router_ari_connected == 0\` for a minute | the pod's calls are served by the dialplan alone: default destinations only |
| \`increase(dialplane_router_records_dropped_total[5m]) > 0\` | call records were lost: neither memory nor disk had room while the database was away |
| \`increase(dialplane_router_shed_total[5m]) > 0\` | Asterisk is behind with its calls: another pod is needed |
| \`max(dialplane_operator_leader) < 1\` for a minute | nobody reconciles |
| \`dialplane_operator_watch_failures > 5\` | the API server can't be watched: what is applied does not arrive |
| \`dialplane_conditions{type="Ready",status="False"} > 0\` for ten minutes | something that was declared is not in force; \`kubectl get np,rr,trunk -A\` says what |
| \`sum without (state) (dialplane_pool_numbers{state="available"}) < 0.25 * sum without (state) (dialplane_pool_numbers)\` | a pool is nearly exhausted: \`status.recommendedSize\` says how many numbers it needs |
`;

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

/** Names, labels and meanings of all metrics of ours. */
export function generate(): Promise<Record<string, string>> {
  const programs: Readonly<Record<string, (registry: Registry) => unknown>> = {
    operator: (registry) => operatorMetrics(registry, () => []),
    router: routerMetrics,
    ingress: createIngressMetrics,
  };
  const sections = Object.entries(programs).map(([name, register]) => sectionOf(name, register));
  return Promise.resolve({ "docs/metrics.md": [HEAD, ...sections].join("\n") });
}

function sectionOf(name: string, register: (registry: Registry) => unknown): string {
  const registry = new Registry();
  register(registry);
  const rows = (registry.getMetricsAsArray() as unknown as readonly Described[]).map(({ name: metric, type, labelNames = [], help }) => {
    return `| \`${metric}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(", ")} | ${help.replace(/\.$/, "").replaceAll("|", "\\|")} |`;
  });
  return [`## ${name}`, "", "| name | type | labels | meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}
