import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startPstn } from "../../demo/pstn/pstn.ts";
import type { Pstn } from "../../demo/pstn/types.ts";
import { startTestAsterisk, type TestAsterisk, testAsteriskLocation } from "../harness/asterisk.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { isAlive, temporaryFolder } from "../harness/process.ts";

const CALLER = "+15551230001";
const ANSWERS = "+12025550110";
const ANSWERS_TOO = "+12025550120";
const BUSY = "+12025550111";
const RINGS = "+12025550112";
const NO_CAPACITY = "+12025550113";
const NOBODY = "+12025550119";
const DESTINATIONS = { [ANSWERS]: "answer", [ANSWERS_TOO]: "answer", [BUSY]: "busy", [RINGS]: "no-answer", [NO_CAPACITY]: "unavailable" } as const;

/** Not the product: the least dialplan that connects two ends, with faults on request. */
const CONNECTS = `[from-carrier]
exten => _+1202.,1,Dial(PJSIP/\${EXTEN}@carrier,20)
; what the caller says is lost
exten => _+1303.,1,Set(MUTEAUDIO(in)=on)
 same => n,Dial(PJSIP/+1202\${EXTEN:5}@carrier,20)
; what the answering party says is lost
exten => _+1404.,1,Set(MUTEAUDIO(out)=on)
 same => n,Dial(PJSIP/+1202\${EXTEN:5}@carrier,20)
; ended after a second
exten => _+1505.,1,Dial(PJSIP/+1202\${EXTEN:5}@carrier,20,S(1))
; busy goes to the next
exten => _+1606.,1,Dial(PJSIP/${BUSY}@carrier,20)
 same => n,Dial(PJSIP/${ANSWERS_TOO}@carrier,20)
`;

describe("the simulated PSTN", () => {
  const parts = new AsyncDisposableStack();
  let product: TestAsterisk;
  let pstn: Pstn;

  beforeAll(async () => {
    const carrier = await loopbackAddress();
    const folder = await temporaryFolder("pstn");
    parts.defer(() => folder.remove());
    product = parts.use(
      await startTestAsterisk({ extraModules: ["res_mutestream"], files: { "pjsip.d/carrier.conf": trunk(carrier), "extensions.d/test.conf": CONNECTS } }),
    );
    pstn = await startPstn({
      location: await testAsteriskLocation(),
      dir: folder.path,
      address: carrier,
      productAddress: product.sipAddress,
      productPort: product.sipPort,
      destinations: DESTINATIONS,
    });
    parts.defer(() => pstn.stop());
  });
  afterAll(() => parts.disposeAsync());

  test("carries a call to a destination that answers, and both hear each other", async () => {
    const result = await pstn.call({ from: CALLER, to: ANSWERS });
    expect(result.responses.map(({ code }) => code)).toEqual([100, 180, 200]);
    expect(result.responses[2]?.reason).toBe("OK");
    expect(result).toMatchObject({ answered: true, answeredBy: ANSWERS, hangupCause: 16, endedBy: "caller" });
    expect(result.heardByCaller).toMatchObject({ expected: ANSWERS, detected: ANSWERS, ok: true });
    expect(result.heardByAnswerer).toMatchObject({ expected: CALLER, detected: CALLER, ok: true });
    for (const count of Object.values(result.rtp)) {
      expect(count.packets).toBeGreaterThan(100);
      expect(count.bytes).toBe(count.packets * 160);
    }
  });

  test("shows on the wire what the result says", async () => {
    const { callId } = await pstn.call({ from: CALLER, to: BUSY });
    const dialog = (await pstn.messages()).filter((message) => message.callId === callId);
    expect(dialog.map(({ direction, startLine }) => `${direction} ${startLine}`)).toEqual([
      `sent INVITE sip:${BUSY}@${product.sipAddress}:5060 SIP/2.0`,
      "received SIP/2.0 100 Trying",
      "received SIP/2.0 486 Busy Here",
      `sent ACK sip:${BUSY}@${product.sipAddress}:5060 SIP/2.0`,
    ]);
    expect(dialog[0]?.header("From")[0]).toContain(`<sip:${CALLER}@`);
  });

  test.each([
    ["busy", BUSY, 486, 17],
    ["without capacity", NO_CAPACITY, 503, 34],
  ])("reports a destination that is %s", async (_, to, code, cause) => {
    const result = await pstn.call({ from: CALLER, to });
    expect(result.responses.at(-1)?.code).toBe(code);
    expect(result).toMatchObject({ answered: false, answeredBy: null, hangupCause: cause, endedBy: null, heardByCaller: null, heardByAnswerer: null });
  });

  test("gives up on a destination that never answers", async () => {
    const result = await pstn.call({ from: CALLER, to: RINGS, ringSeconds: 2 });
    expect(result.responses.map(({ code }) => code)).toEqual([100, 180, 487]);
    expect(result).toMatchObject({ answered: false, endedBy: "caller" });
  });

  test("answers 404 for a number that is nobody's", async () => {
    const result = await pstn.call({ from: CALLER, to: NOBODY });
    expect(result.answered).toBe(false);
    const refusal = (await pstn.messages()).findLast(({ direction, status }) => direction === "sent" && status !== null);
    expect(refusal).toMatchObject({ status: 404 });
  });

  test("says who answered when the first destination was busy", async () => {
    const result = await pstn.call({ from: CALLER, to: "+16065550100" });
    expect(result.answeredBy).toBe(ANSWERS_TOO);
    expect(result.heardByCaller).toMatchObject({ detected: ANSWERS_TOO, ok: true });
    expect(result.heardByAnswerer).toMatchObject({ detected: CALLER, ok: true });
  });

  test("finds out that the answering party hears nothing", async () => {
    const result = await pstn.call({ from: CALLER, to: "+13035550110" });
    expect(result).toMatchObject({ answered: true, answeredBy: ANSWERS });
    expect(result.heardByCaller).toMatchObject({ detected: ANSWERS, ok: true });
    expect(result.heardByAnswerer).toMatchObject({ expected: CALLER, detected: null, ok: false, dominantHz: [] });
  });

  test("finds out that the caller hears nothing", async () => {
    const result = await pstn.call({ from: CALLER, to: "+14045550110" });
    expect(result).toMatchObject({ answered: true, answeredBy: ANSWERS });
    expect(result.heardByCaller).toMatchObject({ expected: ANSWERS, detected: null, ok: false });
    expect(result.heardByAnswerer).toMatchObject({ detected: CALLER, ok: true });
  });

  test("sees that the other side ended a call", async () => {
    const result = await pstn.call({ from: CALLER, to: "+15055550110", talkSeconds: 10 });
    expect(result).toMatchObject({ answered: true, endedBy: "product" });
  });

  test("keeps several calls at the same time apart, two of them to one destination", async () => {
    const orders = [
      { from: "+15551230011", to: ANSWERS },
      { from: "+15551230012", to: ANSWERS },
      { from: "+15551230013", to: ANSWERS_TOO },
      { from: "+15551230014", to: BUSY },
    ];
    const results = await Promise.all(orders.map((order) => pstn.call({ ...order, talkSeconds: 4 })));
    expect(new Set(results.map(({ callId }) => callId)).size).toBe(4);
    results.slice(0, 3).forEach((result, index) => {
      expect(result).toMatchObject({ answeredBy: orders[index]?.to, heardByCaller: { ok: true }, heardByAnswerer: { expected: orders[index]?.from, ok: true } });
    });
    expect(results[3]).toMatchObject({ answered: false, hangupCause: 17 });
  });

  test("goes on with a call until told to hang up, and hears both ends on the way", async () => {
    const call = await pstn.dial({ from: CALLER, to: ANSWERS });
    expect(await call.answered).toBe(true);
    const [before, after] = [await pstn.listen(call), await pstn.listen(call, 2.5)];
    for (const heard of [before, after]) {
      expect(heard).toMatchObject({ answeredBy: ANSWERS, heardByCaller: { detected: ANSWERS, ok: true }, heardByAnswerer: { detected: CALLER, ok: true } });
    }
    const result = await pstn.hangUp(call);
    expect(result).toMatchObject({ answered: true, endedBy: "caller", answeredBy: ANSWERS });
    expect(result.heardByAnswerer?.rounds).toBeGreaterThanOrEqual(4);
    expect(await pstn.hangUp(call)).toBe(result);
  });

  test("hears silence at the caller's end of a call that is over", async () => {
    const call = await pstn.dial({ from: CALLER, to: BUSY });
    expect(await call.answered).toBe(false);
    expect(await pstn.listen(call, 1)).toMatchObject({ answeredBy: null, heardByCaller: { ok: false, recordedSeconds: 0 }, heardByAnswerer: null });
  });

  test("lets a destination change what it does", async () => {
    await pstn.setDestinations({ ...DESTINATIONS, [ANSWERS_TOO]: "busy" });
    expect((await pstn.call({ from: CALLER, to: ANSWERS_TOO })).responses.at(-1)?.code).toBe(486);
    await pstn.setDestinations(DESTINATIONS);
    expect((await pstn.call({ from: CALLER, to: ANSWERS_TOO, talkSeconds: 1 })).answered).toBe(true);
  });

  test.each([
    ["from", { from: "anonymous", to: ANSWERS }],
    ["to", { from: CALLER, to: "+1202,b(x^s^1)" }],
  ])("refuses an order whose %s is no number", async (field, order) => {
    await expect(pstn.call(order)).rejects.toMatchObject({ code: "InvalidInput", field });
  });
});

test("a call in progress fails when the simulated PSTN is killed, and stop leaves nothing running", async () => {
  await using parts = new AsyncDisposableStack();
  const folder = await temporaryFolder("pstn");
  parts.defer(() => folder.remove());
  const carrier = await loopbackAddress();
  const product = parts.use(await startTestAsterisk({ files: { "pjsip.d/carrier.conf": trunk(carrier), "extensions.d/test.conf": CONNECTS } }));
  const location = await testAsteriskLocation();
  const settings = { location, dir: folder.path, address: carrier, productAddress: product.sipAddress, productPort: product.sipPort, destinations: DESTINATIONS };
  const pstn = await startPstn(settings);
  parts.defer(() => pstn.stop());
  await expect(startPstn({ ...settings, dir: `${folder.path}/second` })).rejects.toMatchObject({ code: "PortInUse" });

  const call = await pstn.dial({ from: CALLER, to: ANSWERS });
  expect(await call.answered).toBe(true);
  pstn.asterisk.kill("SIGKILL");
  await expect(call.ended).rejects.toThrow("the simulated PSTN ended during a call");
  await pstn.stop();
  expect(isAlive(pstn.asterisk.pid)).toBe(false);
});

function trunk(carrier: string): string {
  return `[carrier]
type = endpoint
context = from-carrier
transport = transport-udp
disallow = all
allow = ulaw
direct_media = no
aors = carrier
[carrier]
type = aor
contact = sip:${carrier}:5060
[carrier]
type = identify
endpoint = carrier
match = ${carrier}
`;
}
