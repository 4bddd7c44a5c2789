import { readCurrentCluster } from "../adapters/kubernetes/kube-config.ts";
import { messageOf } from "../domain/errors.ts";
import { createLogger } from "../shared/logger.ts";
import { terminationSignal } from "../shared/shutdown.ts";
import { readOperatorConfig } from "./config.ts";
import { startOperator } from "./operator.ts";

/** `dialplane operator`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = readOperatorConfig(env);
  const logger = createLogger(config.logLevel, { app: "operator", pod: config.podName });
  const operator = await startOperator(config, { kubeConfig: readCurrentCluster(), logger });
  await terminationSignal();
  const errors = await operator.ended();
  for (const error of errors) logger.error({ error: messageOf(error) }, "not stopped cleanly");
  return errors.length === 0 ? 0 : 1;
}
