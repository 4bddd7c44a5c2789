import { Memo, StableList } from "../memo.ts";
import { renderPjsip } from "../pjsip.ts";
import type { Credentials, Declared, SecretFault, TrunkConfiguration, TrunkEntry } from "../ports.ts";
import type { AnyResource, SipTrunk } from "../resources.ts";
import { resolveSources, sameConflicts, type SourceConflict } from "../sources.ts";
import type { ResourceKey } from "../types.ts";
import type { Findings } from "./findings.ts";
import { entryOf, identityOf, keepEqual, NO_LACKS, presenceOf, type Presence } from "./objects.ts";
import type { TrunkVerdict } from "./verdicts.ts";

export interface JudgedTrunk {
  readonly entry: TrunkEntry;
  readonly verdict: TrunkVerdict;
}

export interface JudgedTrunks extends Presence {
  /** The same list as long as nothing of any trunk changed. */
  readonly all: readonly JudgedTrunk[];
  /** The ones that can be used. */
  readonly entries: readonly TrunkEntry[];
  readonly usable: ReadonlyMap<ResourceKey, TrunkEntry>;
  readonly configuration: TrunkConfiguration;
  readonly verdicts: ReadonlyMap<ResourceKey, TrunkVerdict>;
}

type Surroundings = Pick<Declared, "credentials" | "secretFaults" | "unreadable" | "terminating">;

/** Trunks need nothing but their Secrets. */
export class TrunkJudge {
  readonly #findings: Findings;
  readonly #alone = new Memo<JudgedTrunk>();
  readonly #sources = new Memo<ReadonlyMap<ResourceKey, readonly SourceConflict[]>>();
  readonly #sharing = new Memo<JudgedTrunk>();
  readonly #configuration = new Memo<TrunkConfiguration>();
  readonly #all = new StableList<JudgedTrunk>();
  readonly #entries = new StableList<TrunkEntry>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  judge(trunks: readonly SipTrunk[], surroundings: Surroundings): JudgedTrunks {
    const { credentials, secretFaults } = surroundings;
    const alone = trunks.map((trunk) => {
      const key = secretOf(trunk);
      const secret = key === null ? null : { key, known: credentials.get(key), fault: secretFaults?.get(key) };
      return this.#alone.value(identityOf(trunk), [trunk, secret?.known, secret?.fault], (previous) => judgeTrunk(this.#findings, trunk, secret, previous));
    });
    const entries = this.#entries.of(alone.filter(({ verdict }) => verdict.problems.length === 0).map(({ entry }) => entry));
    const judged = this.#besideEachOther(alone, entries);
    const used = [...credentials].flat();
    return {
      all: this.#all.of(judged),
      entries,
      usable: new Map(entries.map((entry) => [entry.key, entry])),
      ...presenceOf("SipTrunk", trunks, surroundings),
      configuration: this.#configuration.value("", [entries, ...used], () => renderPjsip({ trunks: entries, credentials })),
      verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
    };
  }

  nextRound(): void {
    for (const each of [this.#alone, this.#sources, this.#sharing, this.#configuration]) each.nextRound();
  }

  /** What can be said of a trunk only when the others are known. */
  #besideEachOther(alone: readonly JudgedTrunk[], entries: readonly TrunkEntry[]): readonly JudgedTrunk[] {
    const conflicts = this.#sources.value("", [entries], (previous) => keepEqual(resolveSources(entries), previous, sameConflicts));
    return alone.map((judged) => {
      const { entry, verdict } = judged;
      const sources = conflicts.get(entry.key);
      if (sources === undefined) return judged;
      return this.#sharing.value(`${entry.uid} ${entry.key}`, [judged, sources], () => ({ entry, verdict: { ...verdict, sources } }));
    });
  }
}

/** The Secret that a trunk names, and what is known of it. */
interface NamedSecret {
  readonly key: ResourceKey;
  readonly known: Credentials | undefined;
  readonly fault: SecretFault | undefined;
}

function judgeTrunk(findings: Findings, trunk: SipTrunk, secret: NamedSecret | null, previous: JudgedTrunk | undefined): JudgedTrunk {
  // A password that changes is nothing to pools and rules: to them it is the same trunk.
  const entry: TrunkEntry = previous?.entry.spec === trunk.spec ? previous.entry : { ...entryOf(trunk), spec: trunk.spec };
  const credentials = new Map(secret?.known === undefined ? [] : [[secret.key, secret.known]]);
  const problems = findings.problems(trunk, () => renderPjsip({ trunks: [entry], credentials }));
  const presence = previous?.verdict.problems.length === 0 ? previous.verdict.presence : { key: entry.key };
  const fault = secret === null ? null : faultOf(secret, trunk.spec.registration);
  return { entry, verdict: { presence, problems, ...NO_LACKS, warnings: findings.warnings(trunk), secret: fault, sources: [] } };
}

/** Calls go on without the Secret as well as they can: who comes from the trunk's addresses needs none. */
function faultOf({ key, known, fault }: NamedSecret, registration: SipTrunk["spec"]["registration"]): SecretFault | null {
  if (fault === undefined && known !== undefined) return null;
  const { state, message } = fault ?? { state: "Absent", message: `Secret ${key} with the keys username and password does not exist` };
  const without = `without authentication${registration === "Enabled" ? " and registration" : ""}`;
  return { state, message: `${message}; meanwhile the trunk is used ${known === undefined ? without : "with the credentials that were seen last"}` };
}

/** The Secrets that trunks name. */
export function namedSecrets(resources: readonly AnyResource[]): ReadonlySet<ResourceKey> {
  return new Set(resources.flatMap((resource) => (resource.kind === "SipTrunk" ? (secretOf(resource) ?? []) : [])));
}

function secretOf(trunk: SipTrunk): ResourceKey | null {
  const { authentication } = trunk.spec;
  return authentication === undefined ? null : `${trunk.metadata.namespace}/${authentication.secretRef.name}`;
}
