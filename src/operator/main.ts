import { readKubeConfig } from "../adapters/kubernetes/kube-config.ts";
import { messageOf } from "../domain/errors.ts";
import { createLogger } from "../shared/logger.ts";
import { operatorConfig } from "./config.ts";
import { startOperator } from "./operator.ts";

/** `dialplane operator`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = operatorConfig(env);
  const logger = createLogger(config.logLevel, { app: "operator", pod: config.podName });
  const operator = await startOperator(config, { kubeConfig: readKubeConfig(), logger });
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  const errors = await operator.ended();
  for (const error of errors) logger.error({ error: messageOf(error) }, "not stopped cleanly");
  return errors.length === 0 ? 0 : 1;
}
