/** Exit code of an expected set-up failure: the machine or its configuration, not our code. */
export const EXIT_SET_UP = 2;

/** An expected failure: what did not work, why, and what the reader can do about it. */
export class SetUpError extends Error {
  /**
   * @param {string} what what was being done
   * @param {string} why the cause, as precise as known
   * @param {string} todo what the reader can do
   */
  constructor(what, why, todo) {
    super(`${what}\n  why: ${indent(why)}\n  what to do: ${indent(todo)}`);
    this.name = "SetUpError";
  }
}

/** @param {string} text */
function indent(text) {
  return text.trim().split("\n").join("\n    ");
}

/**
 * Runs a script's main function; an expected failure becomes its message and exit code 2.
 * @param {() => Promise<number>} main returns the exit code
 */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = EXIT_SET_UP;
  }
}
