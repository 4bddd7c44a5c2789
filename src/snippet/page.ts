import { numberEvent, type Dialplane, type DialplaneNumber } from "./api.ts";
import { keyOf, markedElements, type Marked } from "./elements.ts";
import type { Session } from "./session.ts";
import { createStream, type PushStream } from "./stream.ts";
import { swap } from "./swap.ts";

/** The service answers no more at a time. */
const maxElements = 32;
/** Keeps a visitor's wrong clock from asking all the time. */
const minRenewalMs = 60_000;

export interface Page {
  readonly dialplane: Dialplane;
  /** Swaps what is known at once, before the next paint; asks for the rest. */
  readonly scan: () => void;
  /** The tab is looked at again: asks again where the renewal came due meanwhile. */
  readonly seen: () => void;
  /** The service sees the stream end by itself; another tab of the device may take it over. */
  readonly gone: () => void;
}

/** In as many requests as it takes; in none when the visitor has said no. */
async function request({ post, source }: Session, wanted: Marked[], consent: string | undefined, show: (answer: DialplaneNumber) => void): Promise<void> {
  while (wanted.length && consent !== "denied") {
    const elements = wanted.splice(0, maxElements).map((one) => one.wanted);
    const answer = await post("numbers", { elements, page: location.href.slice(0, 2048), ...source, consent });
    answer.elements?.forEach(show);
  }
}

/** What the page shows now, and the requests that change it. Functions in a closure: their names, unlike those of members, become short. */
export function createPage(script: HTMLScriptElement, session: Session): Page {
  const shown = new Map<string, DialplaneNumber>();
  const asked = new Set<string>();
  let stream: PushStream | undefined;
  let released = false;
  let renewal = 0;

  const marked = () => markedElements(script.dataset["pool"]);

  function scan(): void {
    if (released) return;
    const unknown = marked().filter(({ element, key }) => {
      const known = shown.get(key);
      if (known) swap(element, known);
      return !known;
    });
    void ask(unknown);
  }

  /** Each media element once. Asking says "this person sees it now", so hidden parts wait until they are shown. */
  function ask(elements: readonly Marked[]): Promise<void> {
    const wanted = elements.filter(({ element, key }) => !element.closest("[hidden]") && !asked.has(key) && asked.add(key));
    return session.enqueue(() => request(session, wanted, script.dataset["visitorConsent"], show));
  }

  function show(answer: DialplaneNumber): void {
    if (released) return;
    shown.set(keyOf(answer), answer);
    const elements = marked().flatMap(({ element, key }) => (key === keyOf(answer) ? [element] : []));
    for (const element of elements) swap(element, answer);
    for (const target of elements.length ? elements : [document]) target.dispatchEvent(new CustomEvent(numberEvent, { bubbles: true, detail: answer }));
    if (!answer.expiresAt) return;
    // When all elements of the answer are swapped.
    queueMicrotask(() => (stream ??= createStream(session, show)).listen());
    clearTimeout(renewal);
    renewal = setTimeout(() => {
      renewal = 0;
      seen();
    }, Math.max(minRenewalMs, (Date.parse(answer.expiresAt) - Date.now()) / 1.5));
  }

  function seen(): void {
    if (!document.hidden && !renewal && shown.size) void refresh();
  }

  function refresh(): Promise<void> {
    released = false;
    asked.clear();
    return ask(marked());
  }

  function release(): Promise<void> {
    const pools = [...new Set([...shown.values()].map(({ pool }) => pool))];
    released = true;
    shown.clear();
    clearTimeout(renewal);
    stream?.hangUp();
    for (const { element } of marked()) swap(element);
    // Who was shown nothing is not told of: he may have said no.
    return session.enqueue(() => pools.length && session.post("release", { pools }));
  }

  /** Numbers of hidden parts belong to who was here before; visible ones stay until the answer is there, without a flicker. */
  const otherPerson = (path: string, body: object) => session.enqueue(() => session.post(path, body).then(() => shown.clear())).then(refresh);

  const dialplane: Dialplane = { identify: (token) => otherPerson("identify", { token }), leave: () => otherPerson("leave", {}), refresh, release };
  return { dialplane, scan, seen, gone: () => stream?.hangUp() };
}
