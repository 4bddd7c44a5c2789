import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";

import { startRouter } from "../../src/router/router.ts";
import { aPool, aRule, aTrunk, facts } from "../domain/builders.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";
import { MemoryStore } from "./memory-store.ts";

/** An Asterisk that does nothing and says yes to everything: what is asked, in which order, is not to be seen from outside of a real one. */
async function startYesMan() {
  const asked: string[] = [];
  const sockets: WebSocket[] = [];
  const events: WebSocket[] = [];
  /** Claims that are not answered before it is said so. */
  let held: (() => void)[] | undefined;
  const http = createServer((_, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket, { url }) => {
    sockets.push(socket);
    if (url?.endsWith("app=dialplane") === true) events.push(socket);
    socket.on("message", (data: Buffer) => {
      const { request_id, method, uri } = JSON.parse(data.toString("utf8")) as { request_id: string; method: string; uri: string };
      asked.push(`${method} ${uri}`);
      const answer = () => socket.send(JSON.stringify({ type: "RESTResponse", request_id, status_code: 200, message_body: "[]" }));
      if (uri.startsWith("events/claim") && held !== undefined) held.push(answer);
      else answer();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/ari`,
    asked,
    holdClaims: () => {
      held = [];
    },
    answerClaims: () => held?.forEach((answer) => answer()),
    tell: (event: object) => events.forEach((socket) => socket.send(JSON.stringify(event))),
    stop: async () => {
      sockets.forEach((socket) => socket.terminate());
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** A router beside it, with one rule of the given kind. */
async function startBeside(asterisk: Awaited<ReturnType<typeof startYesMan>>, rule: Parameters<typeof aRule>[0] = {}) {
  const folder = await temporaryFolder("order");
  const store = new MemoryStore({ revision: 1, mark: "", pools: [aPool()], rules: [aRule(rule)], trunks: [aTrunk()] }, null, () => Promise.resolve(facts().context));
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString("utf8"));
      done();
    },
  });
  const config = { pod: "pod-0", ari: { url: asterisk.url, user: "dialplane", password: "secret" }, asteriskConfigDir: folder.path, trunksDir: null, lookUpTimeoutMs: 250, pollMs: 200 };
  const router = startRouter(config, { store, logger: pino({ level: "debug" }, sink), clock: { now: () => new Date() }, registry: new Registry() });
  await eventually("ARI is up and the rules are there", () => written.join("").includes('"revision":1,"pools"') && asterisk.asked.some((request) => request.endsWith("asterisk/info")));
  return {
    store,
    liveCalls: () => router.liveCalls(),
    stop: async () => {
      await router.stop();
      await folder.remove();
    },
  };
}

const inbound = {
  id: "inbound",
  state: "Ring",
  caller: { number: "+13125550123" },
  dialplan: { context: "c", exten: "12025550101", app_name: "StasisBroadcast", app_data: "300,^dialplane$,inbound:default/sales" },
  creationtime: new Date().toISOString(),
};
const CLAIM = "POST events/claim";
const ORIGINATE = expect.stringMatching(/^POST channels\/dialplane-[^/]+$/) as string;
const CREATE_BRIDGE = expect.stringMatching(/^POST bridges\/[^/]+$/) as string;
const ADD = expect.stringMatching(/^POST bridges\/[^/]+\/addChannel$/) as string;

async function aCall(rule?: Parameters<typeof aRule>[0]) {
  const parts = new AsyncDisposableStack();
  const asterisk = await startYesMan();
  parts.defer(() => asterisk.stop());
  const router = await startBeside(asterisk, rule);
  parts.defer(() => router.stop());
  const asked = () => asterisk.asked.filter((request) => request.startsWith("POST "));
  return {
    store: router.store,
    liveCalls: () => router.liveCalls(),
    holdClaims: () => asterisk.holdClaims(),
    answerClaims: () => asterisk.answerClaims(),
    stop: () => router.stop(),
    replaced: () => asterisk.tell({ type: "ApplicationReplaced", application: "dialplane" }),
    offer: () => asterisk.tell({ type: "CallBroadcast", channel: inbound }),
    enter: () => asterisk.tell({ type: "StasisStart", args: ["inbound", "default/sales"], channel: inbound }),
    /** What the leg that was called is said to be. */
    leg: (type: string, state: string) => asterisk.tell({ type, args: ["leg"], channel: { id: asked().find((one) => one.startsWith("POST channels/dialplane-"))?.split("/")[1], state } }),
    expectAsked: async (...expected: readonly string[]) => {
      await eventually("all was asked for", () => asked().length >= expected.length);
      expect(asked()).toEqual(expected);
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

test("the far end is called, and Asterisk is asked for the bridge when somebody rings", async () => {
  await using call = await aCall();
  call.enter();
  await call.expectAsked(ORIGINATE);
  call.leg("ChannelStateChange", "Ringing");
  await call.expectAsked(ORIGINATE, "POST channels/inbound/ring", CREATE_BRIDGE, ADD);
  call.leg("StasisStart", "Up");
  await call.expectAsked(ORIGINATE, "POST channels/inbound/ring", CREATE_BRIDGE, ADD, "POST channels/inbound/answer", ADD);
});

test("what Asterisk holds is compared until that was done: who waits for an earlier router would wait for ever", async () => {
  await using parts = new AsyncDisposableStack();
  // It has no lists: every comparison fails.
  const asterisk = await startYesMan();
  parts.defer(() => asterisk.stop());
  const router = await startBeside(asterisk);
  parts.defer(() => router.stop());
  await eventually("it is tried again", () => asterisk.asked.filter((request) => request.endsWith("asterisk/info")).length >= 3, 10_000);
});

test("when the far end answers at once the caller is answered first, and both are put into the bridge by one request", async () => {
  await using call = await aCall();
  call.enter();
  await call.expectAsked(ORIGINATE);
  call.leg("StasisStart", "Up");
  await call.expectAsked(ORIGINATE, "POST channels/inbound/answer", CREATE_BRIDGE, ADD);
});

test("where the rules don't go by who is calling, the far end is called before the database is asked, and without its answer", async () => {
  await using call = await aCall();
  call.store.context = () => new Promise(() => undefined);
  call.offer();
  await call.expectAsked(CLAIM);
  expect(call.store.asked).toEqual([]);
  call.enter();
  await call.expectAsked(CLAIM, ORIGINATE);
  await eventually("who is calling was asked", () => call.store.asked.length === 1);
  expect(call.store.records).toEqual([]);
  call.leg("StasisStart", "Up");
  await call.expectAsked(CLAIM, ORIGINATE, "POST channels/inbound/answer", CREATE_BRIDGE, ADD);
  await eventually("the call is recorded without", () => call.store.records.some(({ attribution, legs }) => attribution === "unavailable" && legs.length === 1));
});

test("who is calling is asked once, when the call is offered, where the rules go by it", async () => {
  await using call = await aCall({ match: { attribution: ["Exclusive"] } });
  call.offer();
  await call.expectAsked(CLAIM);
  expect(call.store.asked).toMatchObject([{ did: "+12025550101", pool: "default/sales", caller: "+13125550123" }]);
  call.enter();
  await call.expectAsked(CLAIM, ORIGINATE);
  expect(call.store.asked).toHaveLength(1);
});

test("a call that is counted for round robin is counted when it is ours", async () => {
  await using call = await aCall({ strategy: "RoundRobin" });
  call.offer();
  await call.expectAsked(CLAIM);
  expect(call.store.turns).toEqual(new Map());
  call.enter();
  await call.expectAsked(CLAIM, ORIGINATE);
  expect([...call.store.turns.values()]).toEqual([1]);
  await eventually("who called is asked for the record", () => call.store.asked.length === 1);
});

test("a router that another one replaced has no calls any more: they are the other one's", async () => {
  await using call = await aCall();
  call.enter();
  await call.expectAsked(ORIGINATE);
  expect(call.liveCalls()).toBe(1);
  call.replaced();
  await eventually("it has none", () => call.liveCalls() === 0);
});

test("a call that becomes ours when the router is ending is given to the default destination, and the sockets are open until then", async () => {
  await using call = await aCall();
  call.holdClaims();
  call.offer();
  await call.expectAsked(CLAIM);
  const stopped = call.stop();
  call.answerClaims();
  call.enter();
  await stopped;
  await call.expectAsked(CLAIM, "POST channels/inbound/continue");
});

test("a router that ends waits a second at most for an Asterisk that does not answer its claims", async () => {
  await using call = await aCall();
  call.holdClaims();
  call.offer();
  await call.expectAsked(CLAIM);
  const began = performance.now();
  await call.stop();
  expect(performance.now() - began).toBeLessThan(4_000);
});
