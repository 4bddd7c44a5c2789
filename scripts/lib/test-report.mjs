/** What is used of vitest's JSON report. */
/** @typedef {{ status: string, assertionResults: { status: string, fullName?: string }[], name?: string }} FileReport */
/** @typedef {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number, testResults: FileReport[] }} Report */
/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Decides whether a test run may count as passed. A skipped test, no test at all, a file that does not load and an
 * error outside every test are failures: a run that proves less than it seems to must not look green.
 * @param {Report | undefined} report undefined when vitest wrote none
 * @param {number} exitCode of vitest
 * @param {boolean} byName true when tests were chosen by name, which makes vitest report the others as skipped
 * @returns {{ counts: Counts, problems: string[] }} `problems` is empty when the run passed
 */
export function judge(report, exitCode, byName = false) {
  const counts = count(report);
  const problems = [];
  if (!report) problems.push("vitest wrote no report");
  if (report && counts.passed + counts.failed === 0) problems.push("no test was executed");
  if (counts.failed > 0) problems.push(`${counts.failed} failed`);
  if (counts.failed === 0 && exitCode !== 0) {
    problems.push(`vitest ended with exit code ${exitCode} though no test failed: see the error above`);
    counts.failed = 1;
  }
  if (counts.skipped > 0 && !byName) problems.push(`${counts.skipped} skipped: every test must run (no skip, todo or missing part)`);
  return { counts, problems };
}

/** @param {Report | undefined} report @returns {Counts} */
function count(report) {
  if (!report) return { passed: 0, failed: 0, skipped: 0 };
  const unloadable = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloadable.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** @param {Counts} counts */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
