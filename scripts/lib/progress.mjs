/**
 * Progress of one step on stderr: notes while it runs, one line with the seconds it took when it ends.
 * @param {string} title
 */
export function startStep(title) {
  const started = performance.now();
  const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  /** @param {string} text */
  const line = (text) => process.stderr.write(`${title} ... ${text}\n`);
  return {
    note: (/** @type {string} */ text) => line(`${text} (${elapsed()})`),
    done: (/** @type {string} */ text) => line(`${text} in ${elapsed()}`),
    failed: () => line(`failed after ${elapsed()}`),
  };
}
