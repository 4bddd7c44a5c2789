import { describe, expect, it } from "vitest";
import { sessionAttributes } from "../../src/ingress/attributes.ts";

describe("session attributes", () => {
  it.each<[string, string | null | undefined, Record<string, string> | null | undefined, object]>([
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
  ])("%s", (_what, page, attributes, expected) => {
    expect(sessionAttributes({ page, attributes })).toEqual(expected);
  });

  const shop = "https://acme.example/shop";
  it.each<[string, Parameters<typeof sessionAttributes>[0], object]>([
    ["the source of the page the visit began with lasts", { page: shop, landing: "https://acme.example/?gclid=X1", referrer: "https://www.search.example/?q=windows" }, {
      page: shop, landing: "https://acme.example/", referrer: "www.search.example", gclid: "X1",
    }],
    ["a page with a campaign of its own is a new source, as a whole", { page: `${shop}?utm_source=mail`, landing: "https://acme.example/?utm_source=news&utm_term=a" }, {
      page: shop, landing: "https://acme.example/", utm_source: "mail",
    }],
    ["a landing page that was left before the first answer is the second page's referrer", { page: shop, landing: shop, referrer: "https://acme.example/?utm_source=mail&utm_campaign=spring&email=a@b.example" }, {
      page: shop, landing: shop, utm_source: "mail", utm_campaign: "spring",
    }],
    ["the landing page's campaign comes before that of a referrer, as a whole", { page: shop, landing: "https://acme.example/?gclid=X1", referrer: "https://acme.example/?utm_source=mail" }, {
      page: shop, landing: "https://acme.example/", gclid: "X1",
    }],
    ["the page's own comes before both", { page: `${shop}?utm_source=news`, landing: "https://acme.example/?gclid=X1", referrer: "https://acme.example/?utm_source=mail" }, {
      page: shop, landing: "https://acme.example/", utm_source: "news",
    }],
    ["another site's campaign is not this visit's", { page: shop, referrer: "https://portal.example/?utm_source=portal" }, { page: shop, referrer: "portal.example" }],
    ["nor is that of another port, which is another host", { page: shop, referrer: "https://acme.example:8443/?utm_source=mail" }, { page: shop, referrer: "acme.example" }],
    ["of where the visitor came from nothing but the host is kept", { page: shop, referrer: "https://user:pw@mail.example:8443/anna?subject=private#top" }, { page: shop, referrer: "mail.example" }],
    ["the site itself is no source", { page: shop, referrer: "https://acme.example/imprint" }, { page: shop }],
    ["what leads nowhere is left out", { page: shop, landing: "about:blank", referrer: "android-app://com.example" }, { page: shop }],
    ["what the app says comes first", { landing: "https://acme.example/?utm_source=mail", attributes: { utm_source: "app", referrer: "partner" } }, {
      landing: "https://acme.example/", utm_source: "app", referrer: "partner",
    }],
  ])("%s", (_what, given, expected) => {
    expect(sessionAttributes(given)).toEqual(expected);
  });
});
