import { describe, expect, test } from "vitest";

import { createStores } from "../../../src/adapters/postgres/stores.ts";
import { silent } from "../../harness/logger.ts";
import { eachWithWorld } from "./world.ts";

const world = eachWithWorld();
const DESK = "+12025550142";
const TRUNK = "shop/carrier";

const seat = (channel: string, of: { destinationLimit?: number | null; trunkLimit?: number | null; destination?: string } = {}) => {
  return { channel, destination: DESK, destinationLimit: 2, trunk: TRUNK, trunkLimit: null, ...of };
};
const take = (...parameters: Parameters<typeof seat>) => world.stores.router.takeSeat(seat(...parameters));

describe("seats", () => {
  test("are never more than the limit, however many pods take them at the same moment", async () => {
    const pods = Array.from({ length: 4 }, () => createStores(world.database.pool, world.database.url, silent).router);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => pods[index % 4]!.takeSeat(seat(`c${index}`, { destinationLimit: 7, trunkLimit: 50 }))));
    expect(answers.filter((answer) => answer === null)).toHaveLength(7);
    expect(answers.filter((answer) => answer === "destination")).toHaveLength(53);
  });

  test("of two destinations over one trunk keep the trunk's limit, taken from both sides at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => take(`c${index}`, { destination: index % 2 === 0 ? DESK : "+12025550143", destinationLimit: 30, trunkLimit: 5 })),
    );
    expect(answers.filter((answer) => answer === null)).toHaveLength(5);
    expect(answers.filter((answer) => answer === "trunk")).toHaveLength(35);
  });

  test("are free again when left, and one call takes one however often it asks", async () => {
    expect([await take("a"), await take("a"), await take("b"), await take("c")]).toEqual([null, null, null, "destination"]);
    await world.stores.router.leaveSeat("a");
    expect(await take("c")).toBeNull();
  });

  test("of a pod that died are free after a minute, those that are renewed are not", async () => {
    expect([await take("dead"), await take("alive")]).toEqual([null, null]);
    await world.database.pool.query("update seat set expires_at = expires_at - interval '50 seconds'");
    await world.stores.router.keepSeats(["alive"]);
    expect(await take("next")).toBe("destination");
    await world.database.pool.query("update seat set expires_at = expires_at - interval '15 seconds'");
    expect([await take("next"), await take("one-more")]).toEqual([null, "destination"]);
    await world.database.pool.query("update seat set expires_at = expires_at - interval '1 day' where channel = 'dead'");
    expect([...(await world.stores.router.keepSeats(["alive", "next", "without"]))].sort()).toEqual(["alive", "next"]);
    expect((await world.database.pool.query("select channel from seat order by channel")).rows).toEqual([{ channel: "alive" }, { channel: "next" }]);
  });

  test("that expired are renewed as well when another pod was back first", async () => {
    expect(await take("alive", { trunkLimit: 1 })).toBeNull();
    await world.database.pool.query("update seat set expires_at = expires_at - interval '5 minutes'");
    await world.stores.router.keepSeats(["of-another-pod"]);
    expect(await world.stores.router.keepSeats(["alive"])).toEqual(["alive"]);
    expect(await take("next", { trunkLimit: 1 })).toBe("trunk");
  });

  test("that expired while their pod was cut off from the database are renewed as long as the call lives", async () => {
    expect(await take("alive")).toBeNull();
    await world.database.pool.query("update seat set expires_at = expires_at - interval '5 minutes'");
    expect(await world.stores.router.keepSeats(["alive"])).toEqual(["alive"]);
    expect([await take("next"), await take("one-more")]).toEqual([null, "destination"]);
  });
});
