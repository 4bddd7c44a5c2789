import type { ReachabilityState, RegistrationState } from "../domain/api.generated.ts";
import { trunkEndpoint } from "../domain/asterisk-names.ts";
import { messageOf } from "../domain/errors.ts";
import { registrationsIn } from "../domain/pjsip.ts";
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
  /** What OPTIONS found out, by endpoint. */
  readonly states: () => Promise<ReadonlyMap<string, ReachabilityState>>;
  /** What became of registrations, by the address that was registered. */
  readonly registrations: () => Promise<ReadonlyMap<string, RegistrationState>>;
  readonly trunks: () => Iterable<TrunkEntry>;
}

/** A name that did not resolve is asked for again this often: to load the trunks again is what mends it. */
const UNIDENTIFIED_RETRY_MS = 60_000;

/** Trunks of the folder into Asterisk; the answer of each look is what the pod reports of them. */
export function createTrunkPart(deps: TrunkPartDeps): () => Promise<TrunkReport> {
  const { logger, clock } = deps;
  let file: TrunkFile | null = null;
  let programAgainAt = Infinity;

  const program = async (content: string): Promise<void> => {
    const { unidentified } = await deps.program(content);
    programAgainAt = unidentified.length === 0 ? Infinity : clock.now().getTime() + UNIDENTIFIED_RETRY_MS;
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
      running: async () => (clock.now().getTime() < programAgainAt ? deps.running() : null),
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
