import type { DialplaneNumber } from "./api.ts";

/** Who this browser is to the service, and the requests it makes. */
export interface Session {
  readonly base: string;
  /** The page that the visit began with, and what led there. */
  readonly source: object;
  device(): string | null | undefined;
  post(path: string, body: object): Promise<Answer>;
  /** One request after the other: two at once from a new visitor would make two visitors. Never rejects. */
  enqueue(task: () => Promise<unknown>): Promise<void>;
}

interface Answer {
  readonly visitor?: string | null;
  readonly device?: string | null;
  readonly elements?: readonly DialplaneNumber[];
}

const storageKey = "dialplane";
const requestTimeoutMs = 5000;

/** @param base address of the service, up to and with `v1/`. */
export function createSession(base: string): Session {
  let tokens: Answer = {};
  let source: object = { landing: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) };
  // Who comes from elsewhere begins a visit; within the site, or where it isn't said, the visit goes on.
  guarded(() => {
    if (/^$|^\//.test(document.referrer.replace(location.origin, ""))) source = (JSON.parse(sessionStorage.getItem(storageKey) ?? "null") as object | null) ?? source;
  });
  let queue: Promise<void> = Promise.resolve();
  return {
    base,
    source,
    device: () => tokens.device,
    enqueue: (task) =>
      (queue = queue.then(task).then(
        () => undefined,
        () => undefined,
      )),
    post: async (path, body) => {
      // Another tab may have logged in meanwhile.
      guarded(() => {
        tokens = (JSON.parse(localStorage.getItem(storageKey) ?? "null") as Answer | null) ?? tokens;
      });
      const { visitor, device } = tokens;
      // A text body needs no preflight, which saves a round trip.
      const response = await fetch(base + path, {
        method: "POST",
        credentials: "include",
        body: JSON.stringify({ ...body, visitor, device }),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      // Read even when refused: an unread body keeps its connection busy.
      const answer = response.status === 204 ? {} : ((await response.json()) as Answer);
      if (!response.ok) throw new Error(path);
      if (answer.visitor && answer.device) {
        tokens = { visitor: answer.visitor, device: answer.device };
        // Nothing is kept before the service says whom it is about: it may have waited for consent.
        guarded(() => {
          localStorage.setItem(storageKey, JSON.stringify(tokens));
          sessionStorage.setItem(storageKey, JSON.stringify(source));
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
