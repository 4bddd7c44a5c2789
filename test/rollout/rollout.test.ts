import { rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { trunkEndpoint } from "../../src/domain/asterisk-names.ts";
import type { AriRest } from "../../src/domain/ports.ts";
import { podsReady, startPod, type TestPod } from "../harness/pods.ts";
import { eventually } from "../harness/process.ts";
import type { SippServer } from "../harness/sipp.ts";
import { startRolloutWorld, type RolloutWorld } from "./rollout-world.ts";

let world: RolloutWorld;

beforeAll(async () => {
  world = await startRolloutWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function invitesAt(desk: SippServer): Promise<number> {
  return (await desk.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE")).length;
}

function ari(pod: TestPod): AriRest {
  return createAriHttp(pod.asterisk.ari);
}

async function passwordIn(pod: TestPod): Promise<string | undefined> {
  const answer = await ari(pod).request("GET", `/asterisk/config/dynamic/res_pjsip/auth/${trunkEndpoint("default/carrier")}`);
  return (answer as { attribute: string; value: string }[]).find(({ attribute }) => attribute === "password")?.value;
}

async function bridgedBy(pods: readonly TestPod[], desk: SippServer): Promise<void> {
  const before = await invitesAt(desk);
  for (const pod of pods) expect(await world.call(pod), `a call to ${pod.name}`).toMatchObject({ exitCode: 0 });
  expect(await invitesAt(desk)).toBe(before + pods.length);
}


// Every wait says what it saw when it ends in vain, which must come first.
vi.setConfig({ testTimeout: 120_000 });

const ALL = "True/Programmed 3 of 3 pods run revision";

test("three pods run what was declared, and a call to each is bridged to where the rule says", async () => {
  for (const kind of ["NumberPool", "RoutingRule", "SipTrunk"] as const) await world.becomes(kind, "Programmed", ALL);
  await bridgedBy(world.pods, world.desks.first);
});

test("a changed rule is Programmed when every router has it: then the next call to each pod goes elsewhere", async () => {
  world.declared.ruleTo = world.desks.second;
  await world.changed();
  await world.becomes("RoutingRule", "Programmed", ALL);
  await bridgedBy(world.pods, world.desks.second);
});

test("a trunk says whether the carrier answers, as each pod sees it", async () => {
  await world.becomes("SipTrunk", "Reachable", "True/Reachable the carrier answers 3 of 3 pods");
  world.carrier.answering = false;
  await world.becomes("SipTrunk", "Reachable", "False/Unreachable the carrier answers 0 of 3 pods");
  expect(world.status("SipTrunk")).toMatchObject({ reachability: world.pods.map(({ name }) => ({ pod: name, state: "Unreachable" })) });
  world.carrier.answering = true;
  await world.becomes("SipTrunk", "Reachable", "True/Reachable the carrier answers 3 of 3 pods");
  await world.becomes("SipTrunk", "Ready", "True/Ready");
});

test("a trunk says whether the carrier accepts the registration; a password that is put right counts at once", async () => {
  world.carrier.password = "right-password";
  world.declared.trunk = { registration: "Enabled" };
  world.declared.password = "wrong-password";
  await world.changed();
  await world.becomes("SipTrunk", "Registered", "False/NotRegistered 0 of 3 pods are registered with the carrier; it refuses the registration");
  await world.becomes("SipTrunk", "Ready", "False/NotRegistered");
  // The first pod that is refused makes the condition False.
  const seen = () => (world.status("SipTrunk") as { readonly reachability?: readonly object[] }).reachability ?? [];
  const refused = world.pods.map(({ name }) => ({ pod: name, state: "Reachable", registration: "Refused" }));
  await eventually("every pod says so", () => isDeepStrictEqual(seen(), refused), 30_000);
  world.declared.password = "right-password";
  await world.changed();
  await world.becomes("SipTrunk", "Registered", "True/Registered 3 of 3 pods are registered with the carrier");
  await world.becomes("SipTrunk", "Ready", "True/Ready");
  world.declared.trunk = {};
  await world.changed();
  await world.becomes("SipTrunk", "Registered", /^$/);
});

test("a trunk that registers and arrives damaged in one pod keeps no pod from reporting", async () => {
  const [pod] = world.pods;
  world.declared.trunk = { registration: "Enabled" };
  await world.changed();
  await world.becomes("SipTrunk", "Registered", "True/Registered");
  world.cutOff.add(pod!.name);
  world.declared.trunk = { registration: "Enabled", codecs: ["PCMA", "PCMU"] };
  await world.changed();
  await pod!.trunks.publish(Object.fromEntries(Object.entries(world.secret()).map(([name, text]) => [name, text.slice(0, -100)])));
  await world.becomes("SipTrunk", "Programmed", /^False\/ProgrammingFailed 2 of 3 pods run revision [0-9a-f]{12}: asterisk-0: the last line has no end: the file is cut off/);
  await pod!.trunks.publish(world.secret());
  world.cutOff.clear();
  world.declared.trunk = {};
  await world.changed();
  await world.becomes("SipTrunk", "Programmed", ALL);
  await world.becomes("SipTrunk", "Registered", /^$/);
});

describe("a Secret that rotates", () => {
  test("reaches every pod, and no status or report holds anything of it", async () => {
    world.declared.password = "second-password";
    await world.changed();
    await world.becomes("SipTrunk", "Programmed", ALL);
    for (const pod of world.pods) expect(await passwordIn(pod)).toBe("second-password");
    const { rows } = await world.database.pool.query("select * from pod");
    const everything = JSON.stringify([rows, world.status("SipTrunk")]) + world.pods.map((pod) => pod.log()).join("");
    expect(everything).not.toContain("second-password");
    for (const file of Object.values(world.secret())) expect(everything).not.toContain(/voicemail_extension = ([0-9a-f]{64})/.exec(file)![1]);
  });

  test("and is mounted late in one pod: that pod is waited for by name and goes on with what it has", async () => {
    const [late] = world.pods;
    world.cutOff.add(late!.name);
    world.declared.password = "third-password";
    await world.changed();
    await world.becomes("SipTrunk", "Programmed", /^False\/Pending 2 of 3 pods run revision [0-9a-f]{12}; waiting for asterisk-0$/);
    await world.becomes("NumberPool", "Programmed", ALL);
    expect(await passwordIn(late!)).toBe("second-password");
    await late!.trunks.publish(world.secret());
    await world.becomes("SipTrunk", "Programmed", ALL);
    expect(await passwordIn(late!)).toBe("third-password");
    world.cutOff.clear();
  });

  test("and arrives damaged in one pod: it keeps the last good one and says why", async () => {
    const [pod] = world.pods;
    world.cutOff.add(pod!.name);
    world.declared.password = "fourth-password";
    await world.changed();
    const cut = Object.fromEntries(Object.entries(world.secret()).map(([name, text]) => [name, text.slice(0, -100)]));
    await pod!.trunks.publish(cut);
    await world.becomes("SipTrunk", "Programmed", /^False\/ProgrammingFailed 2 of 3 pods run revision [0-9a-f]{12}: asterisk-0: the last line has no end: the file is cut off/);
    expect(await passwordIn(pod!)).toBe("third-password");
    await bridgedBy([pod!], world.desks.second);
    await pod!.trunks.publish(world.secret());
    await world.becomes("SipTrunk", "Programmed", ALL);
    world.cutOff.clear();
  });
});

describe("a pod", () => {
  test("that can't write a new dialplan keeps the last good one, is named with the reason, and takes it when it can", async () => {
    const pod = world.pods[1]!;
    const folder = join(pod.asterisk.configDir, "extensions.d");
    await rename(folder, `${folder}.away`);
    world.declared.pool = { ranges: [{ from: "+12025550100", to: "+12025550119" }] };
    await world.changed();
    await world.becomes("NumberPool", "Programmed", /^False\/ProgrammingFailed 2 of 3 pods run revision [0-9a-f]{12}: asterisk-1: .*the folder does not exist/);
    await bridgedBy(world.pods, world.desks.second);
    await rename(`${folder}.away`, folder);
    await world.becomes("NumberPool", "Programmed", ALL);
  });

  test("whose Asterisk is down is named, and after its restart what it runs is read back", async () => {
    const pod = world.pods[2]!;
    await pod.stopAsterisk();
    await world.becomes("NumberPool", "Programmed", /^False\/ProgrammingFailed 2 of 3 pods .*: asterisk-2: what Asterisk runs can't be read back/);
    await pod.startAsterisk();
    await world.becomes("SipTrunk", "Programmed", ALL);
    await podsReady([pod]);
    await bridgedBy([pod], world.desks.second);
  });

  test("that lost its dialplan behind the router's back gets it again", async () => {
    const pod = world.pods[2]!;
    const marker = async () => ((await ari(pod).request("GET", "/asterisk/variable", { variable: "DIALPLANE_REVISION" })) as { value: string }).value;
    const before = await marker();
    await ari(pod).request("POST", "/asterisk/variable", { variable: "DIALPLANE_REVISION", value: "somebody" });
    expect(await marker()).toBe("somebody");
    await eventually("it is put right", async () => (await marker()) === before, 60_000);
    await world.becomes("NumberPool", "Programmed", ALL);
  });

  test("that ends is not waited for, and counts again when it is back", async () => {
    const pod = world.pods[0]!;
    await pod.stopRouter();
    await world.becomes("NumberPool", "Programmed", "True/Programmed 2 of 2 pods run revision");
    pod.startRouter();
    await world.becomes("NumberPool", "Programmed", ALL);
  });

  test("that starts is not waited for before its Asterisk is up", async () => {
    const pod = world.pods[0]!;
    await pod.stopRouter();
    await pod.stopAsterisk();
    pod.startRouter();
    // Longer than from one look at Asterisk to the next.
    await sleep(7_000);
    const { rows } = await world.database.pool.query("select pod from pod order by pod");
    expect(rows).toEqual([{ pod: "asterisk-1" }, { pod: "asterisk-2" }]);
    expect(world.condition("NumberPool", "Programmed")).toMatch(/^True\/Programmed 2 of 2 pods run revision/);
    await pod.startAsterisk();
    await world.becomes("NumberPool", "Programmed", ALL);
    await podsReady([pod]);
  });

  test("that is new gets dialplan and trunks and is counted; one that fell silent is not counted, and forgotten later", async () => {
    const fourth = await startPod("asterisk-9", { databaseUrl: world.database.url });
    try {
      await world.becomes("SipTrunk", "Programmed", "False/ProgrammingFailed 3 of 4 pods");
      expect(world.condition("SipTrunk", "Programmed")).toContain("asterisk-9: there is no trunks.conf");
      await fourth.trunks.publish(world.secret());
      await world.becomes("SipTrunk", "Programmed", "True/Programmed 4 of 4 pods run revision");
    } finally {
      await fourth.stop();
    }
    await world.database.pool.query(
      "insert into pod (pod, running, seen_at) values ('asterisk-7', 'old', now() - interval '31 seconds'), ('asterisk-8', 'old', now() - interval '601 seconds')",
    );
    const pods = async () => (await world.database.pool.query<{ pod: string }>("select pod from pod order by pod")).rows.map(({ pod }) => pod);
    await expect.poll(pods, { timeout: 30_000 }).toEqual(["asterisk-0", "asterisk-1", "asterisk-2", "asterisk-7"]);
    // Not counted any more, and known for as long as somebody may ask whether its calls are lost.
    await world.becomes("NumberPool", "Programmed", ALL);
  });
});
