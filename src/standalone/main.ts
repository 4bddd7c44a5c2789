import { messageOf } from "../domain/errors.ts";
import { createLogger } from "../shared/logger.ts";
import { terminationSignal } from "../shared/shutdown.ts";
import { readStandaloneConfig } from "./config.ts";
import { printStatuses } from "./print-statuses.ts";
import { apiTokenFile, startStandalone } from "./standalone.ts";

/** `dialplane standalone`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = readStandaloneConfig(env);
  const logger = createLogger(config.logLevel, { app: "standalone" });
  const standalone = await startStandalone(config, { logger, env });
  process.stdout.write(`Dialplane is up: ${standalone.url} (SIP on ${config.sip.sipAddress}:${config.sip.sipPort}), manifests from ${config.manifests}\n`);
  if (config.apiToken === undefined) process.stdout.write(`Calls are read with the bearer token in ${apiTokenFile(config)}; on this machine without it, as long as all pages of all pools are on it too\n`);
  const stopPrinting = printStatuses(() => standalone.resources(), process.stdout);
  const reason = await Promise.race([terminationSignal(), standalone.broken]);
  stopPrinting();
  const errors = await standalone.stop();
  for (const error of errors) logger.error({ error: messageOf(error) }, "not stopped cleanly");
  if (reason === null) return errors.length === 0 ? 0 : 1;
  logger.error({ reason }, "stopped because a part ended");
  return 1;
}
