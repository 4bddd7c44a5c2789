import type { DialplaneNumber } from "./api.ts";

/** Who this browser is to the service, and the requests it makes. */
export interface Session {
  readonly base: string;
  /** The page that the visit began with, and what led there. */
  readonly source: object;
  /** The device's token; nothing before there is one. */
  readonly self: () => string;
  readonly post: (path: string, body?: object) => Promise<Answer>;
  /** One request after the other: two at once from a new visitor would make two visitors. Never rejects. */
  readonly enqueue: (task: () => unknown) => Promise<void>;
  /** Removes what is kept in the browser: its owner wants it no more. */
  readonly forget: () => void;
}

interface Tokens {
  readonly visitor?: string | null | undefined;
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
  let unsaved = false;
  let source: object = { landing: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) };
  // Who comes from elsewhere begins a visit; within the site, or where it isn't said, the visit goes on. Who is new has none, and the first
  // look into this storage takes the browser some milliseconds.
  guarded(() => {
    if (localStorage[storageKey] && /^$|^\//.test(document.referrer.replace(location.origin, ""))) source = { ...source, ...(JSON.parse(sessionStorage[storageKey] as string) as object) };
  });
  let queue = Promise.resolve();

  /** Storage takes the browser some milliseconds: after what was asked for is on the page. Nothing is kept before the service says whom it is about. */
  function save(): void {
    if (!unsaved) return;
    unsaved = false;
    guarded(() => {
      localStorage[storageKey] = JSON.stringify(tokens);
      sessionStorage[storageKey] = JSON.stringify(source);
    });
  }

  return {
    base,
    source,
    self: () => tokens.device as string,
    enqueue: (task) => (queue = queue.then(task).then(save, save)),
    post: async (path, body) => {
      // Another tab may have logged in meanwhile.
      guarded(() => {
        if (!unsaved) tokens = { ...tokens, ...(JSON.parse(localStorage[storageKey] as string) as Tokens) };
      });
      const answer = await exchange(base + path, JSON.stringify({ ...tokens, ...body }));
      const { visitor, device } = answer;
      if (device) {
        tokens = { visitor, device };
        unsaved = true;
      }
      return answer;
    },
    forget: () =>
      guarded(() => {
        tokens = {};
        localStorage.removeItem(storageKey);
        sessionStorage.removeItem(storageKey);
      }),
  };
}

/**
 * XMLHttpRequest hands over an answer with its body at once; with `fetch` the page's first layout and paint come between the two, which
 * takes longer than the answer did. A text body needs no preflight, which saves a round trip.
 */
function exchange(url: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    // What is waited for has a body, and 200; nobody waits for what a release is answered.
    request.onloadend = () => (request.status === 200 ? resolve : reject)(request.response as Answer);
    request.open("POST", url);
    request.responseType = "json";
    request.timeout = requestTimeoutMs;
    request.withCredentials = true;
    request.send(body);
  });
}

/** Where storage is blocked, the tokens live as long as the page; in an old browser, or without a tag, the page's own number does. */
export function guarded(use: () => void): void {
  try {
    use();
  } catch {
    // As above.
  }
}
