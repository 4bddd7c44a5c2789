import { describe, expect, it } from "vitest";
import { RateLimiter } from "../../src/ingress/rate-limit.ts";

function limiterAt(start: number, limit = { perSecond: 2, burst: 3 }) {
  let now = start;
  const limiter = new RateLimiter(limit, { now: () => new Date(now) });
  return { limiter, pass: (ms: number) => (now += ms) };
}

describe("the rate limit", () => {
  it("lets a burst pass, then as many a second as allowed, and says how long to wait", () => {
    const { limiter, pass } = limiterAt(0);
    expect([1, 2, 3, 4].map(() => limiter.take("192.0.2.1"))).toEqual([0, 0, 0, 0.5]);
    pass(500);
    expect([limiter.take("192.0.2.1"), limiter.take("192.0.2.1")]).toEqual([0, 0.5]);
  });

  it("counts every IPv4 address on its own and IPv6 by the /64 network", () => {
    const { limiter } = limiterAt(0, { perSecond: 1, burst: 1 });
    expect(limiter.take("192.0.2.1")).toBe(0);
    expect(limiter.take("192.0.2.2")).toBe(0);
    expect(limiter.take("::ffff:192.0.2.3")).toBe(0);
    expect(limiter.take("::ffff:192.0.2.4")).toBe(0);
    expect(limiter.take("2001:db8:1:2::1")).toBe(0);
    expect(limiter.take("2001:db8:1:2:3:4:5:6")).toBeGreaterThan(0);
    expect(limiter.take("2001:db8:1:3::1")).toBe(0);
  });

  it.each([
    ["2001:db8::1", "2001:db8:0:0:5::1"],
    ["2001:db8::1", "2001:db8::2:3:4:5"],
    ["2001:db8:0:7::1", "2001:db8:0:7:1:2:3:4"],
    ["2001:0:0:7::1", "2001::7:1:2:3:4"],
    ["::1", "::2"],
  ])("counts %s and %s as one network", (one, other) => {
    const { limiter } = limiterAt(0, { perSecond: 1, burst: 1 });
    expect([limiter.take(one), limiter.take(other)]).toEqual([0, 1]);
  });

  it.each([
    ["2001:db8::1", "2001:db8:0:1::1"],
    ["2001::7:1:2:3:4", "2001::8:1:2:3:4"],
    ["2001::7:1:2:3:4", "2001::1"],
  ])("counts %s and %s as two networks", (one, other) => {
    const { limiter } = limiterAt(0, { perSecond: 1, burst: 1 });
    expect([limiter.take(one), limiter.take(other)]).toEqual([0, 0]);
  });

  it("has an address wait for what its last request was worth besides itself, and no other", () => {
    const { limiter, pass } = limiterAt(0);
    limiter.charge("192.0.2.2", 100);
    expect([limiter.take("192.0.2.1"), limiter.take("192.0.2.2")]).toEqual([0, 0]);
    limiter.charge("192.0.2.1", 6);
    expect([limiter.take("192.0.2.1"), limiter.take("192.0.2.2")]).toEqual([2.5, 0]);
    pass(2_500);
    expect([limiter.take("192.0.2.1"), limiter.take("192.0.2.1")]).toEqual([0, 0.5]);
  });

  it("survives a clock that steps back", () => {
    const { limiter, pass } = limiterAt(1_000_000);
    expect([limiter.take("a"), pass(-900_000), limiter.take("a"), limiter.take("a")].at(-1)).toBe(0);
    expect(limiter.take("a")).toBeGreaterThan(0);
  });

  it("can be switched off", () => {
    const { limiter } = limiterAt(0, { perSecond: 0, burst: 1 });
    expect(Array.from({ length: 1000 }, () => limiter.take("a")).every((wait) => wait === 0)).toBe(true);
  });

  it("forgets the addresses heard of longest ago instead of growing", () => {
    const { limiter } = limiterAt(0, { perSecond: 1, burst: 1 });
    limiter.take("first");
    for (let i = 0; i < 50_000; i += 1) limiter.take(`10.${i}`);
    expect(limiter.take("10.49999")).toBeGreaterThan(0);
    expect(limiter.take("first")).toBe(0);
  });
});
