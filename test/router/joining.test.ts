import { expect, test } from "vitest";

import { ExpectedError } from "../../src/domain/errors.ts";
import { AriError } from "../../src/domain/ports.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { aDecision, after, decided, gone, INBOUND, LEG, received, ringing } from "../domain/call/builders.ts";
import { silent } from "../harness/logger.ts";
import { testCalls } from "./builders.ts";

/** An answer of Asterisk's and an event that come in the same moment, over two sockets, can't be had from Asterisk in a wanted order. */

/** A call whose two sides are being connected, and how Asterisk answers that. */
function connecting(answering: () => Promise<unknown> = () => Promise.resolve()) {
  const answers: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const records: CallRecord[] = [];
  let now = new Date("2026-06-01T12:00:10Z");
  const calls = testCalls({
    clock: { now: () => now },
    perform: (command) => (command.type === "AddToBridge" ? new Promise<void>((resolve, reject) => answers.push({ resolve, reject })) : command.type === "Answer" ? answering() : Promise.resolve()),
    save: (record) => records.push(record),
  });
  const { call } = after(received(), decided(aDecision([["a"]])), ringing(0));
  calls.start(call, [], silent);
  calls.dispatch(call.id, { type: "LegAnswered", channel: LEG(0) });
  const [answer] = answers;
  if (answer === undefined) throw new Error("the leg was not asked into the bridge");
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const over = async () => {
    await settled();
    calls.dispatch(call.id, gone(LEG(0)));
    await settled();
    return [calls.live, records.at(-1)?.end, records.at(-1)?.why.map(({ reason }) => reason)];
  };
  const pass = (seconds: number) => void (now = new Date(now.getTime() + seconds * 1000));
  return { calls, call, answer, over, pass };
}

test("who hangs up before the answer is read, and was connected, has talked", async () => {
  const { calls, call, answer, over } = connecting();
  calls.dispatch(call.id, gone(INBOUND));
  answer.resolve();
  expect(await over()).toEqual([0, "completed", []]);
});

test("who hangs up and so could not be connected has given up", async () => {
  const { calls, call, answer, over } = connecting();
  calls.dispatch(call.id, gone(INBOUND));
  answer.reject(new AriError(404, "POST /bridges/b/addChannel", "no such channel"));
  expect(await over()).toEqual([0, "abandoned", []]);
});

test.each([404, 409])("who hangs up and so could not even be answered (%d) has given up", async (status) => {
  const { calls, call, answer, over } = connecting(() => Promise.reject(new AriError(status, "POST /channels/c/answer", "no such channel")));
  calls.dispatch(call.id, gone(INBOUND));
  await new Promise((resolve) => setImmediate(resolve));
  answer.reject(new AriError(422, "POST /bridges/b/addChannel", "no such channel"));
  expect(await over()).toEqual([0, "abandoned", []]);
});

test.each([404, 409])("who could not be answered (%d) has given up, although the other one was put into the bridge", async (status) => {
  const { calls, call, answer, over } = connecting(() => Promise.reject(new AriError(status, "POST /channels/c/answer", "no such channel")));
  calls.dispatch(call.id, gone(INBOUND));
  await new Promise((resolve) => setImmediate(resolve));
  answer.resolve();
  expect(await over()).toEqual([0, "abandoned", []]);
});

test("who hangs up and was or was not connected: nobody knows", async () => {
  const { calls, call, answer, over } = connecting();
  calls.dispatch(call.id, gone(INBOUND));
  answer.reject(new ExpectedError("Unavailable", "no answer in time"));
  expect(await over()).toEqual([0, "failed", ["EndUnobserved"]]);
});

test("who was answered, heard nobody for seconds and left has not given up: they were not brought together", async () => {
  const { calls, call, answer, over, pass } = connecting();
  pass(5);
  calls.dispatch(call.id, gone(INBOUND));
  answer.reject(new AriError(404, "POST /bridges/b/addChannel", "no such channel"));
  expect(await over()).toEqual([0, "failed", ["BridgeFailed"]]);
});

test("once they are connected, who hangs up is not waited for", async () => {
  const { calls, call, answer, over } = connecting();
  answer.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls.find(call.id)?.kind).toBe("bridged");
  calls.dispatch(call.id, gone(INBOUND));
  expect(calls.find(call.id)?.kind).toBe("ending");
  expect(await over()).toEqual([0, "completed", []]);
});
