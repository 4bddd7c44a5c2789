import { KubeConfig } from "@kubernetes/client-node";
import { messageOf, ExpectedError } from "../domain/errors.ts";
import { createLogger } from "../shared/logger.ts";
import { operatorConfig, type OperatorConfig } from "./config.ts";
import { startOperator } from "./operator.ts";

/** `dialplane operator`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = operatorConfig(env);
  const logger = createLogger(config.logLevel, { app: "operator", pod: config.podName });
  const operator = await startOperator(config, { kubeConfig: kubeConfigOf(config), logger });
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  const errors = await operator.ended();
  for (const error of errors) logger.error({ error: messageOf(error) }, "not stopped cleanly");
  return errors.length === 0 ? 0 : 1;
}

/** @throws ExpectedError InvalidInput */
function kubeConfigOf({ kubeconfig }: OperatorConfig): KubeConfig {
  const read = new KubeConfig();
  try {
    if (kubeconfig === undefined) read.loadFromDefault();
    else read.loadFromFile(kubeconfig);
  } catch (error) {
    throw new ExpectedError("InvalidInput", `KUBECONFIG: must be a kubeconfig that can be read: ${messageOf(error)}`, { field: "KUBECONFIG", cause: error });
  }
  return read;
}
