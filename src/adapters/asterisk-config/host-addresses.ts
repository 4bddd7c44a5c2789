import { Resolver } from "node:dns/promises";

/** A name server that is silent for longer says nothing this time. */
const TIMEOUT_MS = 2_000;

/**
 * The addresses that name servers have for a host, in one order; empty when none says. Not by the system's resolver: a silent name server would hold up
 * the threads that files are written by.
 */
export async function addressesOf(host: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])).sort();
}
