/** SIGTERM, or Ctrl-C on a terminal. Answers null: there is no reason to tell. */
export function terminationSignal(): Promise<null> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve(null));
    process.once("SIGINT", () => resolve(null));
  });
}

type Step = { readonly name: string; readonly run: () => Promise<void> | void };

/** Undoes what was started, last first; every step runs even when one fails. */
export class Shutdown {
  readonly #steps: Step[] = [];
  #done: Promise<readonly Error[]> | undefined;

  add(name: string, run: Step["run"]): void {
    this.#steps.push({ name, run });
  }

  /** Safe to call more than once: the second caller waits for the first. Resolves with what went wrong. */
  run(): Promise<readonly Error[]> {
    this.#done ??= this.#runSteps();
    return this.#done;
  }

  async #runSteps(): Promise<readonly Error[]> {
    const errors: Error[] = [];
    for (const step of this.#steps.reverse()) {
      try {
        await step.run();
      } catch (error) {
        errors.push(new Error(`while stopping ${step.name}`, { cause: error }));
      }
    }
    return errors;
  }
}
