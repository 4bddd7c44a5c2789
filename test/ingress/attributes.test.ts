import { describe, expect, it } from "vitest";
import { sessionAttributes } from "../../src/ingress/attributes.ts";

describe("session attributes", () => {
  it.each([
    ["no page", undefined, undefined, {}],
    ["campaign parameters and click ids are kept", "https://acme.example/a?utm_source=mail&gclid=X1&utm_campaign=spring%20sale", undefined, {
      page: "https://acme.example/a",
      utm_source: "mail",
      gclid: "X1",
      utm_campaign: "spring sale",
    }],
    ["whatever may be personal is not", "https://user:pw@acme.example/a?email=anna@example.com&utm_source=#name=anna", undefined, { page: "https://acme.example/a" }],
    ["what the page says itself comes first", "https://acme.example/?utm_source=mail", { utm_source: "app", page: "home" }, { page: "home", utm_source: "app" }],
    ["no web page", "javascript:alert(1)", { a: "b" }, { a: "b" }],
    ["no URL", "::::", null, {}],
    ["values that can't be stored", "https://acme.example/?utm_source=a%00b&utm_medium=%0d%0a", undefined, { page: "https://acme.example/" }],
    ["values too long", `https://acme.example/?utm_source=${"x".repeat(513)}`, undefined, { page: "https://acme.example/" }],
  ])("%s", (_what, page, given, expected) => {
    expect(sessionAttributes(page, given)).toEqual(expected);
  });
});
