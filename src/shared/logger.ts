import { pino, type Logger } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * JSON lines on stderr (stdout belongs to what a command prints). Constant messages, data in fields;
 * pino escapes every value, so nothing from outside can forge a line.
 */
export function createLogger(level: LogLevel, fields: Record<string, string> = {}): Logger {
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ["password", "secret", "token", "authorization", "*.password", "*.secret", "*.token", "*.authorization"], censor: "[redacted]" },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
