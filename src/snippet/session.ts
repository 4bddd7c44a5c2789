import type { DialplaneNumber } from "./api.ts";

/** Who this browser is to the service, and the requests it makes. */
export interface Session {
  readonly base: string;
  /** The page that the visit began with, and what led there. */
  readonly source: object;
  /** The device's token; nothing before there is one. */
  readonly self: () => string;
  /** A refusal has an answer as well, without elements and tokens. Rejects where there is none with a body; nobody waits for what a release is answered. */
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

const requestTimeoutMs = 5000;

/** Nothing but what it has already: the site may keep things of its own under our name. */
function take<Known extends object>(to: Known, from: Partial<Known>): void {
  for (const name in to) to[name] = from[name] as Known[typeof name];
}

/** @param base address of the service, up to and with `v1/`. */
export function createSession(base: string): Session {
  const tokens: Tokens = { visitor: null, device: null };
  let unsaved = false;
  const source = { landing: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) };
  // Who comes from elsewhere begins a visit; within the site, or where it isn't said, the visit goes on. Who is new has none, and the first
  // look into this storage takes the browser some milliseconds.
  guarded(() => {
    if (localStorage["dialplane"] && /^$|^\//.test(document.referrer.replace(location.origin, ""))) take(source, JSON.parse(sessionStorage["dialplane"] as string) as object);
  });
  let queue = Promise.resolve();

  /** Storage takes the browser some milliseconds: after what was asked for is on the page. Nothing is kept before the service says whom it is about. */
  function save(): void {
    if (!unsaved) return;
    unsaved = false;
    guarded(() => {
      localStorage["dialplane"] = JSON.stringify(tokens);
      sessionStorage["dialplane"] = JSON.stringify(source);
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
        if (!unsaved) take(tokens, JSON.parse(localStorage["dialplane"] as string) as Tokens);
      });
      // XMLHttpRequest hands over an answer with its body at once; with `fetch` the page's first layout and paint come between the two, which
      // takes longer than the answer did. A text body needs no preflight, which saves a round trip.
      const answer = await new Promise<Answer>((resolve) => {
        const request = new XMLHttpRequest();
        request.onloadend = () => resolve(request.response as Answer);
        request.open("POST", base + path);
        request.responseType = "json";
        request.timeout = requestTimeoutMs;
        request.withCredentials = true;
        request.send(JSON.stringify({ ...tokens, ...body }));
      });
      if (answer.device) {
        take(tokens, answer);
        unsaved = true;
      }
      return answer;
    },
    forget: () =>
      guarded(() => {
        take(tokens, {});
        delete localStorage["dialplane"];
        delete sessionStorage["dialplane"];
      }),
  };
}

/** Where storage is blocked, the tokens live as long as the page; in an old browser, or without a tag, the page's own number does. */
export function guarded(use: () => void): void {
  try {
    use();
  } catch {
    // As above.
  }
}
