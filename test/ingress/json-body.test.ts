import { once } from "node:events";
import { PassThrough } from "node:stream";
import type { Request, Response } from "express";
import { describe, expect, it } from "vitest";
import { jsonBody } from "../../src/ingress/json-body.ts";

function aRequest() {
  const request = Object.assign(new PassThrough(), { headers: { "content-type": "application/json", "content-length": "20" }, body: {} });
  const handedOn: unknown[] = [];
  void jsonBody()(request as unknown as Request, undefined as unknown as Response, (error?: unknown) => void handedOn.push(error ?? "no fault"));
  return { request, handedOn };
}

describe("a body", () => {
  it("is handed on once, when it is complete", async () => {
    const { request, handedOn } = aRequest();
    request.write('{"pool":');
    expect(handedOn).toEqual([]);
    request.end('"a/b"}');
    await once(request, "close");
    expect([handedOn, request.body]).toEqual([["no fault"], { pool: "a/b" }]);
  });

  it("whose sender goes away keeps nobody waiting: it is a fault", async () => {
    const { request, handedOn } = aRequest();
    request.write('{"pool":');
    request.destroy();
    await once(request, "close");
    expect(handedOn).toEqual([expect.objectContaining({ status: 400, faults: [{ field: "body", message: "must be complete" }] })]);
  });
});
