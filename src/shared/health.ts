/** What every program answers to `/healthz`: it answers. */
export const ALIVE = { alive: true } as const;

/** A part says whether it can do its job; `/readyz` asks all of them. */
export type ReadinessCheck = () => { readonly ready: boolean; readonly reason: string };

export class Health {
  readonly #checks = new Map<string, ReadinessCheck>();

  register(part: string, check: ReadinessCheck): void {
    this.#checks.set(part, check);
  }

  report(): { readonly ready: boolean; readonly parts: Readonly<Record<string, { ready: boolean; reason: string }>> } {
    const parts = Object.fromEntries([...this.#checks].map(([part, check]) => [part, check()]));
    return { ready: Object.values(parts).every((part) => part.ready), parts };
  }
}
