import { type DestinationStream, pino, type Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

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
    (stderr ??= turnByTurn()),
  );
}

let stderr: DestinationStream | undefined;

/** Bytes of lines that wait for the end of their turn. */
const MAX_HELD = 8_192;

/** What is logged in one turn of the event loop is one write, after all that the turn asked of others. Also when the process ends. */
function turnByTurn(): DestinationStream {
  const file = pino.destination({ dest: 2, sync: true, minLength: MAX_HELD });
  let waiting = false;
  const flush = () => {
    waiting = false;
    file.flushSync();
  };
  process.on("exit", flush);
  return {
    write: (line) => {
      file.write(line);
      if (waiting) return;
      waiting = true;
      setImmediate(flush);
    },
  };
}

/** Keeps country and the last two digits: enough to tell calls apart, too little to dial. Anything else becomes its length. */
export function maskNumber(number: string | null): string {
  if (number === null) return "withheld";
  if (!/^\+?[0-9]{7,15}$/.test(number)) return `[${number.length} characters]`;
  return `${number.slice(0, 3)}${"*".repeat(number.length - 5)}${number.slice(-2)}`;
}
