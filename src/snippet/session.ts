import type { DialplaneNumber } from "./api.ts";

/** Who this browser is to the service, and the requests it makes. */
export interface Session {
  readonly base: string;
  /** The page that the visit began with, and what led there. */
  readonly source: object;
  readonly device: () => string | null | undefined;
  readonly post: (path: string, body: object) => Promise<Answer>;
  /** One request after the other: two at once from a new visitor would make two visitors. Never rejects. */
  readonly enqueue: (task: () => Promise<void>) => Promise<void>;
}

interface Tokens {
  readonly visitor?: string | null;
  readonly device?: string | null;
}

interface Answer extends Tokens {
  readonly elements?: readonly DialplaneNumber[];
}

const storageKey = "dialplane";
const requestTimeoutMs = 5000;

/** @param base address of the service, up to and with `v1/`. */
export function createSession(base: string): Session {
  let tokens: Tokens = {};
  let source: object = { landing: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) };
  // Who comes from elsewhere begins a visit; within the site, or where it isn't said, the visit goes on.
  guarded(() => {
    if (/^$|^\//.test(document.referrer.replace(location.origin, ""))) source = { ...source, ...(JSON.parse(sessionStorage[storageKey] as string) as object) };
  });
  let queue: Promise<void> = Promise.resolve();
  return {
    base,
    source,
    device: () => tokens.device,
    enqueue: (task) => (queue = queue.then(task).catch(() => undefined)),
    post: async (path, body) => {
      // Another tab may have logged in meanwhile.
      guarded(() => {
        tokens = { ...tokens, ...(JSON.parse(localStorage[storageKey] as string) as Tokens) };
      });
      // A text body needs no preflight, which saves a round trip.
      const response = await fetch(base + path, {
        method: "POST",
        credentials: "include",
        body: JSON.stringify({ ...tokens, ...body }),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      // Read even when refused: an unread body keeps its connection busy.
      const answer = response.status === 204 ? {} : ((await response.json()) as Answer);
      if (!response.ok) throw new Error(path);
      const { visitor, device } = answer;
      if (visitor && device) {
        tokens = { visitor, device };
        // Nothing is kept before the service says whom it is about: it may have waited for consent.
        guarded(() => {
          localStorage[storageKey] = JSON.stringify(tokens);
          sessionStorage[storageKey] = JSON.stringify(source);
        });
      }
      return answer;
    },
  };
}

/** Where storage is blocked, the tokens live as long as the page. */
function guarded(use: () => void): void {
  try {
    use();
  } catch {
    // As above.
  }
}
