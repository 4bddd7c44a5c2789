import { expect, test } from "vitest";

import { ExpectedError } from "../../src/domain/errors.ts";
import { AriError } from "../../src/domain/ports.ts";
import type { TelephonyCommand } from "../../src/router/perform.ts";
import { aDecision, after, decided, LEG, received, ringing, whispering } from "../domain/call/builders.ts";
import { silent } from "../harness/logger.ts";
import { testCalls } from "./builders.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What becomes of a call whose only destination rings, when Asterisk answers the request for its bridge like this. */
async function withoutBridge(error: Error) {
  const calls = testCalls({ perform: ({ type }) => (type === "CreateBridge" ? Promise.reject(error) : Promise.resolve()) });
  const { call, commands } = after(received(), decided(aDecision([["desk"]])));
  calls.start(call, commands, silent);
  calls.dispatch(call.id, { type: "LegRinging", channel: LEG(0) });
  await settled();
  const kind = calls.find(call.id)?.kind;
  calls.abandon();
  return kind;
}

test("a bridge that is there already is as good as one that was made", async () => {
  expect(await withoutBridge(new AriError(409, "POST /bridges", "it exists"))).toBe("dialing");
});

test("a bridge that can't be made is the end of trying", async () => {
  expect(await withoutBridge(new AriError(500, "POST /bridges", "no memory"))).toBe("ending");
});

/** Somebody answered, and Asterisk's answer to the whisper for him never came. */
async function whispered(connected: boolean) {
  const asked: string[] = [];
  const perform = ({ type }: TelephonyCommand) => {
    asked.push(type);
    return type === "Whisper" ? Promise.reject(new ExpectedError("Unavailable", "the socket was lost")) : Promise.resolve();
  };
  const calls = testCalls({ perform, connected: () => connected });
  const { call } = after(received(), decided(whispering(aDecision([["desk"]]))), ringing(0));
  calls.start(call, [], silent);
  calls.dispatch(call.id, { type: "LegAnswered", channel: LEG(0) });
  await settled();
  calls.abandon();
  return asked;
}

test("a whisper that nobody knows to be heard keeps the two apart while ARI is away: what Asterisk did is found when it is back", async () => {
  expect(await whispered(false)).toEqual(["Whisper"]);
});

test("a whisper that nobody knows to be heard keeps the two apart no longer while ARI is there", async () => {
  expect(await whispered(true)).toContain("Answer");
});
