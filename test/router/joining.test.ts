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
  let connected = true;
  let now = new Date("2026-06-01T12:00:10Z");
  const calls = testCalls({
    clock: { now: () => now },
    connected: () => connected,
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
  const connect = (is: boolean) => void (connected = is);
  return { calls, call, answers, answer, settled, over, pass, connect };
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

test.each([404, 409])("who could not be answered (%d) has given up, however late Asterisk says so: he was never answered", async (status) => {
  const { answer, over, pass } = connecting(() => Promise.reject(new AriError(status, "POST /channels/c/answer", "no such channel")));
  pass(5);
  await new Promise((resolve) => setImmediate(resolve));
  answer.reject(new AriError(422, "POST /bridges/b/addChannel", "no such channel"));
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

const noAnswer = () => new ExpectedError("Unavailable", "no answer in time");
const noChannel = (what: string) => new AriError(404, what, "no such channel");

test("who may have talked has not given up when he leaves before he is answered once more, whether ARI was away meanwhile or not", async () => {
  let answering: () => Promise<unknown> = () => Promise.reject(noAnswer());
  const { calls, call, answers, answer, settled, over, pass } = connecting(() => answering());
  answer.reject(noAnswer());
  pass(5);
  answering = () => Promise.reject(noChannel("POST /channels/c/answer"));
  await settled();
  expect(answers).toHaveLength(2);
  calls.dispatch(call.id, gone(INBOUND));
  answers[1]?.reject(noChannel("POST /bridges/b/addChannel"));
  expect(await over()).toEqual([0, "failed", ["EndUnobserved"]]);
});

test("the same after an outage, in which both were seen and not both in the bridge", async () => {
  let answering: () => Promise<unknown> = () => Promise.reject(noAnswer());
  const { calls, call, answers, answer, settled, over, pass, connect } = connecting(() => answering());
  connect(false);
  answer.reject(noAnswer());
  await settled();
  pass(4);
  connect(true);
  answering = () => Promise.reject(noChannel("POST /channels/c/answer"));
  calls.dispatch(call.id, { type: "Resynced", channels: new Map([[INBOUND, { up: true }], [LEG(0), { up: true }]]), inBridge: new Set([INBOUND]) });
  await settled();
  calls.dispatch(call.id, gone(INBOUND));
  answers[1]?.reject(noChannel("POST /bridges/b/addChannel"));
  expect(await over()).toEqual([0, "failed", ["EndUnobserved"]]);
});

test("the same after an outage so short that his end is told before anybody has looked", async () => {
  const { calls, call, answer, settled, over, pass, connect } = connecting(() => Promise.reject(noAnswer()));
  connect(false);
  answer.reject(noAnswer());
  await settled();
  pass(1);
  connect(true);
  calls.dispatch(call.id, gone(INBOUND));
  expect(await over()).toEqual([0, "failed", ["EndUnobserved"]]);
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
