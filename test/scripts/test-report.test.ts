import { describe, expect, test } from "vitest";
import { judge, summaryLine, type Report } from "../../scripts/lib/test-report.mjs";

const aReport = (over: Partial<Report> = {}): Report => ({
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ status: "passed", assertionResults: [{ status: "passed" }] }],
  ...over,
});

describe("judge", () => {
  test("a run in which every test passed has no problem", () => {
    expect(judge(aReport(), 0)).toEqual({ counts: { passed: 3, failed: 0, skipped: 0 }, problems: [] });
  });

  const bad: Record<string, [Report | undefined, number, string, RegExp]> = {
    "a failed test": [aReport({ numFailedTests: 1 }), 1, "3 passed, 1 failed, 0 skipped", /1 failed/],
    "a skipped test": [aReport({ numPendingTests: 2 }), 0, "3 passed, 0 failed, 2 skipped", /2 skipped/],
    "a test left to do": [aReport({ numTodoTests: 1 }), 0, "3 passed, 0 failed, 1 skipped", /1 skipped/],
    "no test at all": [aReport({ numPassedTests: 0 }), 0, "0 passed, 0 failed, 0 skipped", /no test was executed/],
    "a missing report": [undefined, 1, "0 passed, 1 failed, 0 skipped", /no report/],
    "an error outside every test": [aReport(), 1, "3 passed, 1 failed, 0 skipped", /exit code 1/],
    "a test file that does not load": [
      aReport({ testResults: [{ status: "failed", assertionResults: [] }] }),
      1,
      "3 passed, 1 failed, 0 skipped",
      /1 failed/,
    ],
  };
  test.each(Object.entries(bad))("%s is a problem", (_name, [report, exitCode, line, problem]) => {
    const { counts, problems } = judge(report, exitCode);
    expect(summaryLine(counts)).toBe(line);
    expect(problems.join("\n")).toMatch(problem);
  });

  test("tests left out by name do not fail the run", () => {
    expect(judge(aReport({ numPendingTests: 9 }), 0, true).problems).toEqual([]);
  });
});
