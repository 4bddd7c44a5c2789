import type { Logger } from "../../src/domain/ports.ts";
import { createLogger } from "../../src/shared/logger.ts";

/** For what no test looks at. */
export const silent = createLogger("silent");

export interface Said {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** A logger whose words can be looked at. */
export function listeningLogger(): Logger & { readonly said: Said[] } {
  const said: Said[] = [];
  const at = (level: string) => (fields: object, message: string) => void said.push({ level, fields, message });
  const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: () => logger, said };
  return logger;
}
