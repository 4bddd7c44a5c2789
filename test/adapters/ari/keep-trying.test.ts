import { expect, test } from "vitest";

import { keepTrying } from "../../../src/adapters/ari/keep-trying.ts";
import { listeningLogger } from "../../harness/logger.ts";
import { eventually } from "../../harness/process.ts";

test("waits grow while Asterisk is away, and are short again once it was there", async () => {
  const logger = listeningLogger();
  const stopping = new AbortController();
  const up = [false, false, false, true, false];
  const ended = () => Promise.resolve(up.shift() ?? false);
  const trying = keepTrying({ session: () => Promise.resolve("gone"), ended, logger, signal: stopping.signal, pauses: { firstMs: 1, longestMs: 5 } });
  await eventually("five sessions", () => logger.said.length >= 5);
  stopping.abort();
  await trying;
  expect(logger.said.slice(0, 5).map(({ fields }) => (fields as { readonly attempt: number }).attempt)).toEqual([0, 1, 2, 0, 1]);
});

test("Asterisk that starts is no cause for a warning, one that can't be reached for seconds is", async () => {
  const logger = listeningLogger();
  const stopping = new AbortController();
  const trying = keepTrying({ session: () => Promise.resolve("Unexpected server response: 401"), ended: () => Promise.resolve(false), logger, signal: stopping.signal, pauses: { firstMs: 1, longestMs: 1 } });
  await eventually("seven sessions", () => logger.said.length >= 7);
  stopping.abort();
  await trying;
  expect(logger.said.slice(0, 7).map(({ level }) => level)).toEqual(["info", "info", "info", "info", "info", "warn", "warn"]);
});
