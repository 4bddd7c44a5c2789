import { describe, expect, it } from "vitest";
import type { NumberPoolSource } from "../../src/domain/api.generated.ts";
import { poolChoice, poolsBehind } from "../../src/domain/source-pool.ts";
import { aPool } from "./builders.ts";

const source = (name: string, ...attributes: NumberPoolSource["attributes"]): NumberPoolSource => ({ attributes, poolRef: { name } });
const equals = (name: string, value: string) => ({ name, type: "Equals" as const, value });
const exists = (name: string) => ({ name, type: "Exists" as const });

const sources = [
  source("brand", exists("gclid"), { name: "utm_campaign", type: "Prefix", value: "brand-" }),
  source("search", exists("gclid")),
  source("gone", equals("utm_source", "mail")),
  source("mail", equals("utm_source", "mail")),
  source("sales", equals("referrer", "intranet.example")),
  source("late", equals("referrer", "intranet.example")),
];
const sales = aPool({ sources });
const others = ["brand", "search", "mail", "late"].map((name) => aPool({ sources: [source("sales", exists("page"))] }, { key: `default/${name}` }));
const elsewhere = aPool({}, { key: "shop/gone" });
const pools = new Map([sales, ...others, elsewhere].map((pool) => [pool.key, pool]));
const candidates = ["default/sales", "default/brand", "default/search", "default/mail", "default/late"];

describe("the pool that a visit gets its number from", () => {
  it.each<[string, Record<string, string>, string | null]>([
    ["no source: none is matched", {}, null],
    ["a source that no entry is about", { utm_source: "news" }, null],
    ["all conditions of an entry hold", { gclid: "X", utm_campaign: "brand-spring" }, "default/brand"],
    ["one of them doesn't: the next entry decides", { gclid: "X", utm_campaign: "generic" }, "default/search"],
    ["two entries hold: the first one decides", { gclid: "X", utm_source: "mail" }, "default/search"],
    ["upper and lower case are told apart", { utm_source: "Mail" }, null],
    ["a pool that is not in service, or of another namespace, is passed over", { utm_source: "mail" }, "default/mail"],
    ["an entry may name the pool itself, so that later ones don't count", { referrer: "intranet.example" }, "default/sales"],
    ["names of the language are no attributes", { constructor: "x" }, null],
  ])("%s", (_what, attributes, matched) => {
    expect(poolChoice(sales, attributes, pools)).toEqual({ matched, candidates });
  });

  it("is no choice where the pool has no sources, or none in service", () => {
    expect(poolChoice(elsewhere, { gclid: "X" }, pools)).toBeNull();
    expect(poolChoice(sales, { gclid: "X" }, new Map([[sales.key, aPool({ sources: [sources[2]!] })]]))).toMatchObject({ candidates: ["default/sales"] });
    expect(poolChoice(aPool({ sources: [source("gone", exists("gclid"))] }), { gclid: "X" }, pools)).toBeNull();
  });

  it("does not follow the sources of a pool that was found", () => {
    expect(poolChoice(aPool({ sources: [source("mail", exists("gclid"))] }), { gclid: "X", page: "p" }, pools)).toEqual({
      matched: "default/mail",
      candidates: ["default/sales", "default/mail"],
    });
  });

  it("is given back with all pools that the page's numbers may be of", () => {
    expect(poolsBehind(sales, pools)).toEqual(candidates);
    expect(poolsBehind(elsewhere, pools)).toEqual(["shop/gone"]);
  });
});
