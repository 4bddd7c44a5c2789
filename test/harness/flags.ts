import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** Of a benchmark or a run with faults. */
export function readFlags<Options extends ParseArgsOptionsConfig>(options: Options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`).join(", ");
    return refuse(`${error instanceof Error ? error.message : String(error)}; known are ${known}`);
  }
}

/** Ends with 2, one line and no stack: 1 would say that what was measured or promised did not hold. */
export function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
