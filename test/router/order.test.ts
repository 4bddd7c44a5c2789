import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";

import { startRouter } from "../../src/router/main.ts";
import { aPool, aRule, aTrunk, facts } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { MemoryStore } from "./memory-store.ts";

/** An Asterisk's event socket that does nothing and says yes to everything: what is asked, in which order, is not to be seen from outside of a real one. */
async function startYesMan() {
  const asked: string[] = [];
  const sockets: WebSocket[] = [];
  const http = createServer((_, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("message", (data: Buffer) => {
      const { request_id, method, uri } = JSON.parse(data.toString("utf8")) as { request_id: string; method: string; uri: string };
      asked.push(`${method} ${uri}`);
      socket.send(JSON.stringify({ type: "RESTResponse", request_id, status_code: 200, message_body: "[]" }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/ari`,
    asked,
    tell: (event: object) => sockets.forEach((socket) => socket.send(JSON.stringify(event))),
    stop: async () => {
      sockets.forEach((socket) => socket.terminate());
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

test("the far end is called before Asterisk is asked for the bridge", async () => {
  await using parts = new AsyncDisposableStack();
  const asterisk = await startYesMan();
  parts.defer(() => asterisk.stop());
  const store = new MemoryStore({ revision: 1, pools: [aPool()], rules: [aRule()], trunks: [aTrunk()] }, null, () => Promise.resolve(facts().context));
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString("utf8"));
      done();
    },
  });
  const config = { pod: "pod-0", ari: { url: asterisk.url, user: "dialplane", password: "secret" }, asteriskConfigDir: "/nowhere", trunksDir: null, lookUpTimeoutMs: 250, pollMs: 200 };
  const router = startRouter(config, { store, logger: pino({ level: "debug" }, sink), clock: { now: () => new Date() }, registry: new Registry() });
  parts.defer(() => router.stop());
  await eventually("ARI is up and the rules are there", () => written.join("").includes('"revision":1,"pools"') && asterisk.asked.some((request) => request.endsWith("asterisk/info")));
  const channel = { id: "inbound", state: "Ring", caller: { number: "+13125550123" }, dialplan: { context: "c", exten: "12025550101" }, creationtime: new Date().toISOString() };
  asterisk.tell({ type: "StasisStart", args: ["inbound", "default/sales"], channel });
  const ofTheCall = () => asterisk.asked.filter((request) => request.startsWith("POST "));
  await eventually("all was asked for", () => ofTheCall().length >= 3);
  expect(ofTheCall()).toEqual([expect.stringMatching(/^POST channels\/[^/]+$/), expect.stringMatching(/^POST bridges\/[^/]+$/), expect.stringMatching(/^POST bridges\/[^/]+\/addChannel$/)]);
});
