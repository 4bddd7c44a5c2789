import type { ReachabilityState, RegistrationState } from "../domain/api.generated.ts";
import { trunkEndpoint } from "../domain/asterisk-names.ts";
import { messageOf } from "../domain/errors.ts";
import { registrationsIn, sourceNamesIn } from "../domain/pjsip.ts";
import type { Clock, Logger, TrunkEntry, TrunkReport } from "../domain/ports.ts";
import type { TrunkFile } from "../domain/trunk-file.ts";
import type { ResourceKey } from "../domain/types.ts";
import { createInstaller } from "./installer.ts";

export interface TrunkPartDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  /** What the folder holds. @throws when there is nothing, or something damaged */
  readonly read: () => Promise<TrunkFile>;
  readonly running: () => Promise<string | null>;
  /** Answers the endpoints whose calls Asterisk can't recognise now, because a host name did not resolve. */
  readonly program: (content: string) => Promise<{ readonly unidentified: readonly string[] }>;
  /** Those of the endpoints whose calls Asterisk can't recognise now. */
  readonly unidentified: (endpoints: readonly string[]) => Promise<readonly string[]>;
  /** Of a host name; empty when nobody says. */
  readonly addressesOf: (host: string) => Promise<readonly string[]>;
  /** What OPTIONS found out, by endpoint. */
  readonly states: () => Promise<ReadonlyMap<string, ReachabilityState>>;
  /** What became of registrations, by the address that was registered. */
  readonly registrations: () => Promise<ReadonlyMap<string, RegistrationState>>;
  readonly trunks: () => Iterable<TrunkEntry>;
}

/**
 * Asterisk asks for the addresses of a host once, when it loads the trunks: one that had none by then, or has others by now, calls in vain. How often it is
 * looked whether there is such a one; to load the trunks again is what mends it.
 */
const NAMES_MS = 60_000;

/** Trunks of the folder into Asterisk; the answer of each look is what the pod reports of them. */
export function createTrunkPart(deps: TrunkPartDeps): () => Promise<TrunkReport> {
  const { logger, clock } = deps;
  let file: TrunkFile | null = null;
  let namesAt = 0;
  const addresses = watchAddresses(deps.addressesOf);

  /** Of what Asterisk runs, if that is the file. */
  const isOutdated = async (): Promise<boolean> => {
    if (file === null || clock.now().getTime() < namesAt) return false;
    namesAt = clock.now().getTime() + NAMES_MS;
    const names = sourceNamesIn(file.trunks.content);
    return (await addresses.moved(names)) || (await deps.unidentified([...names.keys()])).length > 0;
  };

  const program = async (content: string): Promise<void> => {
    // First: Asterisk is told nothing older.
    await addresses.moved(sourceNamesIn(content));
    namesAt = clock.now().getTime() + NAMES_MS;
    const { unidentified } = await deps.program(content).catch((error: unknown) => {
      addresses.forget();
      throw error;
    });
    if (unidentified.length > 0) logger.warn({ unidentified }, "calls from these trunks can't be recognised: their host has no address now");
  };

  const installer = createInstaller(
    {
      name: "trunks",
      wanted: async () => {
        file = null;
        file = await deps.read();
        return { ...file.trunks };
      },
      running: async () => ((await isOutdated()) ? null : deps.running()),
      program: async ({ content, endpoints }) => {
        await program(content);
        logger.info({ trunks: endpoints.length, revision: file?.revision }, "trunks programmed and verified");
      },
    },
    deps,
  );

  return async () => {
    const { running, error } = await installer.look();
    const isFile = file !== null && running === file.trunks.hash;
    const [reachability, registrations] = await Promise.all([reachabilityOf(deps), registrationsOf(deps, isFile ? (file?.trunks.content ?? null) : null)]);
    return { running: isFile ? (file?.revision ?? null) : null, loaded: running !== null, error, reachability, registrations };
  };
}

function watchAddresses(addressesOf: TrunkPartDeps["addressesOf"]) {
  const known = new Map<string, readonly string[]>();
  return {
    /** Whether a host has an address that it had not when it was asked for before, or was not asked for before. One that nobody knows now stays where it was. */
    moved: async (names: ReadonlyMap<string, string>): Promise<boolean> => {
      const hosts = [...new Set(names.values())];
      const found = await Promise.all(hosts.map(async (host) => ({ host, addresses: await addressesOf(host), before: known.get(host) ?? [] })));
      const there = found.filter(({ addresses }) => addresses.length > 0);
      for (const { host, addresses } of there) known.set(host, addresses);
      return there.some(({ addresses, before }) => addresses.some((address) => !before.includes(address)));
    },
    /** Asterisk was not told of them. */
    forget: () => known.clear(),
  };
}

/** Only trunks that are asked with OPTIONS; what Asterisk can't say now is left out. */
async function reachabilityOf({ trunks, states, logger }: TrunkPartDeps): Promise<Readonly<Record<ResourceKey, ReachabilityState>>> {
  const asked = [...trunks()].filter(({ spec }) => spec.keepAlive.optionsIntervalSeconds > 0);
  if (asked.length === 0) return {};
  try {
    const found = await states();
    return Object.fromEntries(asked.map(({ key }) => [key, found.get(trunkEndpoint(key)) ?? "Unknown"]));
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "whether carriers answer could not be read");
    return {};
  }
}

/** Only trunks that register. Asterisk says nothing before the carrier's first answer. @param content the trunks that Asterisk runs; null: others than those of the folder */
async function registrationsOf({ trunks, registrations, logger }: TrunkPartDeps, content: string | null): Promise<Readonly<Record<ResourceKey, RegistrationState>>> {
  const registering = [...trunks()].filter(({ spec }) => spec.registration === "Enabled");
  if (registering.length === 0) return {};
  const addresses = content === null ? new Map<string, string>() : registrationsIn(content);
  const found = await registrations().catch((error: unknown) => {
    logger.debug({ error: messageOf(error) }, "whether carriers accepted the registration could not be read");
    return new Map<string, RegistrationState>();
  });
  return Object.fromEntries(registering.map(({ key }) => [key, found.get(addresses.get(trunkEndpoint(key)) ?? "") ?? "Unknown"]));
}
