import { ExpectedError } from "../errors.ts";
import type { AnyResource } from "../resources.ts";
import { fieldName, type Finding } from "../validate/finding.ts";
import { resourceFindings } from "../validate/resource.ts";

/** What was found about an object on its own, each naming its field. */
interface Judgement {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

const CLEAN: Judgement = { errors: [], warnings: [] };

/** What no schema can know of objects. Each is looked at once: an object that changes is another one. */
export class Findings {
  readonly #known = new WeakMap<AnyResource, Judgement>();

  warnings(resource: AnyResource): readonly string[] {
    return this.#of(resource).warnings;
  }

  /** And what can't be rendered. @param render null when something needed for it is missing */
  problems(resource: AnyResource, render: (() => unknown) | null): readonly string[] {
    const { errors } = this.#of(resource);
    if (errors.length > 0) return errors;
    return render === null ? CLEAN.errors : expectedFailure(render);
  }

  #of(resource: AnyResource): Judgement {
    const found = this.#known.get(resource) ?? judgementOf(resource);
    this.#known.set(resource, found);
    return found;
  }
}

function judgementOf(resource: AnyResource): Judgement {
  const findings = resourceFindings(resource);
  if (findings.length === 0 && resource.unknownFields === undefined) return CLEAN;
  const said = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).map(({ path, message }) => `${fieldName(path)}: ${message}`);
  const unknown = (resource.unknownFields ?? []).map((field) => `${field}: is not known to this release and has no effect`);
  return { errors: said("error"), warnings: [...unknown, ...said("warning")] };
}

/** What an expected failure says; anything else is a bug and goes up. */
function expectedFailure(render: () => unknown): readonly string[] {
  try {
    render();
    return CLEAN.errors;
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    return [error.message];
  }
}
