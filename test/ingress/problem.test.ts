import type { Request, Response } from "express";
import { describe, expect, it, vi } from "vitest";
import { ExpectedError } from "../../src/domain/errors.ts";
import { problemHandler } from "../../src/ingress/problem.ts";
import { listeningLogger, silent } from "../harness/logger.ts";

/** What a client is told of an error that nobody expected. */
function answerTo(error: unknown, handler = problemHandler(silent)) {
  const answer = { status: 0, headers: {} as Record<string, string>, text: "" };
  const response = {
    status: (status: number) => Object.assign(response, { sent: (answer.status = status) }),
    set: (headers: Record<string, string>) => Object.assign(response, { with: (answer.headers = headers) }),
    send: (text: string) => (answer.text = text),
  };
  void handler(error, { method: "POST", path: "/v1/numbers" } as unknown as Request, response as unknown as Response, () => undefined);
  return answer;
}

const withCode = (code: string) => Object.assign(new Error(`the database at 10.0.0.7 said ${code}`), { code });

describe("an error on the way to an answer", () => {
  it.each<[string, Error]>([
    ["a connection that is refused", withCode("ECONNREFUSED")],
    ["a connection that is lost", withCode("08006")],
    ["a database that has no connection left", withCode("53300")],
    ["a database whose disk is full", withCode("53100")],
    ["a database that shuts down", withCode("57P01")],
    ["a database that is gone", withCode("3D000")],
    ["a connection that the driver gave up", new Error("Connection terminated unexpectedly")],
    ["a connection that broke between two statements", new Error("Client has encountered a connection error and is not queryable")],
    ["a connection that could not be had in time", new Error("timeout exceeded when trying to connect")],
    ["a database that says nothing", new Error("Query read timeout")],
    ["a host without an address", withCode("EAI_AGAIN")],
    ["a queue that is full", new ExpectedError("Unavailable", "10.0.0.7 is away")],
  ])("is 503 to be tried again, with nothing of the inside: %s", (_what, error) => {
    const { status, headers, text } = answerTo(error);
    expect([status, headers["Retry-After"], text.includes("10.0.0.7")]).toEqual([503, "5", false]);
  });

  it.each<[string, unknown]>([
    ["a statement that is wrong", withCode("42P01")],
    ["a value that is taken", withCode("23505")],
    ["a code that only begins as an outage's", withCode("530")],
    ["a fault of ours", new TypeError("10.0.0.7 is not a function")],
    ["something thrown that is no error", "10.0.0.7"],
  ])("is 500, with nothing of the inside: %s", (_what, error) => {
    const { status, headers, text } = answerTo(error);
    expect([status, headers["Retry-After"], text.includes("10.0.0.7")]).toEqual([500, undefined, false]);
  });

  it("is said once a second while it is an outage, with the number of requests, and each time when it is a fault of ours", () => {
    vi.useFakeTimers();
    try {
      const logger = listeningLogger();
      const handler = problemHandler(logger);
      for (let n = 0; n < 3; n += 1) answerTo(withCode("08006"), handler);
      vi.advanceTimersByTime(1_000);
      answerTo(withCode("08006"), handler);
      expect(logger.said.map(({ fields }) => (fields as { readonly requests: number }).requests)).toEqual([1, 3]);
      for (let n = 0; n < 2; n += 1) answerTo(new TypeError("ours"), handler);
      expect(logger.said.slice(2).map(({ message }) => message)).toEqual(["a request failed", "a request failed"]);
    } finally {
      vi.useRealTimers();
    }
  });
});
