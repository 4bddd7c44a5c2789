import { numberEvent, type Dialplane, type DialplaneNumber } from "./api.ts";
import { keyOf, markedElements, type Marked } from "./elements.ts";
import type { Session } from "./session.ts";
import { createStream, type PushStream } from "./stream.ts";
import { swap } from "./swap.ts";
import { watchPage } from "./watch.ts";

interface Shown extends DialplaneNumber {
  /** By the clock on the wall, because timers stand still while a computer sleeps. It may be wrong, so it is compared with itself only. */
  readonly arrived: number;
}

/**
 * Whether a lease is over, or a part of it: never where there is none, always where nothing is known. After all of it the number may be
 * somebody else's.
 */
const isOver = (known: Shown | undefined, parts = 1) => !known || Date.now() - known.arrived > (known.expiresIn as number) / parts;

/**
 * What the page shows now, and the requests that change it. Functions in a closure: their names, unlike those of members, become short.
 *
 * @param settings attributes of the script tag, as they are now
 */
export function createPage(settings: DOMStringMap, session: Session): Dialplane {
  const shown = new Map<string, Shown>();
  /** Not to be asked for again now; whether there was an answer says `shown`. */
  const asked = new Set<string>();
  let stream: PushStream | undefined;
  const isDenied = () => settings["visitorConsent"] === "denied";
  /** By the page, or because the visitor has said no. */
  let released: boolean | undefined;

  const marked = () => markedElements(settings["pool"]);

  /** @param all where nothing is known the page's own number is put back; what stands there else is the page's, or waits for its answer */
  function scan(all?: boolean): void {
    const elements = marked();
    for (const { element, key } of elements) if (all || shown.has(key)) swap(element, isOver(shown.get(key)) ? undefined : shown.get(key));
    void ask(elements);
  }

  /** Asking says "this person sees it now", so hidden parts, and pages in the background or drawn in advance, wait until they are shown. */
  const isShown = ({ element }: Marked) => !(released || document.hidden || element.closest("[hidden]"));

  /** Each media element once, in as many requests as it takes. */
  function ask(elements: readonly Marked[]): Promise<void> {
    const wanted = elements.filter((one) => isShown(one) && !asked.has(one.key) && asked.add(one.key));
    return session.enqueue(async () => {
      while (wanted[0]) {
        // The service answers no more at a time.
        const answer = await session.post("numbers", { elements: wanted.splice(0, 32).map((one) => one.wanted), page: location.href.slice(0, 2048), ...session.source, consent: settings["visitorConsent"] });
        answer.elements?.forEach(show);
      }
    });
  }

  /** @param answer null: another tab gave the numbers back */
  function show(answer: DialplaneNumber | null): void {
    if (!answer) withdraw();
    if (released || !answer) return;
    shown.set(keyOf(answer), { ...answer, arrived: Date.now() });
    // What was pushed need not be asked for, but renewed.
    asked.add(keyOf(answer));
    const elements = marked().filter((one) => one.key === keyOf(answer)).map((one) => swap(one.element, answer));
    for (const target of elements[0] ? elements : [document]) target.dispatchEvent(new CustomEvent(numberEvent, { bubbles: true, detail: answer }));
    // When all elements of the answer are swapped.
    if (answer.expiresIn) queueMicrotask(() => (stream ??= createStream(session, show)).listen());
  }

  /** Now and then, and when the tab is looked at again: asks again where a renewal is due or no answer came. */
  function seen(): void {
    for (const key of asked) if (isOver(shown.get(key), 1.5)) asked.delete(key);
    scan();
  }

  function refresh(): Promise<void> {
    released = isDenied();
    if (released) return release();
    asked.clear();
    return ask(marked());
  }

  function release(): Promise<void> {
    const pools = [...new Set([...shown.values()].map(({ pool }) => pool))];
    withdraw(true);
    // Who was shown nothing is not told of: he may have said no.
    void session.enqueue(() => pools[0] && session.post("release", { pools, consent: settings["visitorConsent"] }));
    return session.enqueue(() => isDenied() && session.forget());
  }

  /** @param told whether the other tabs are to do the same; one that was told tells nobody */
  function withdraw(told?: boolean): void {
    released = true;
    shown.clear();
    stream?.hangUp(told);
    scan(true);
  }

  /** Numbers of hidden parts belong to who was here before; visible ones stay, without a flicker, until the answer is there or didn't come. */
  const otherPerson = (path: string, body?: object) =>
    session.enqueue(() => isDenied() || session.post(path, body).then(() => shown.clear())).then(moved).then(() => scan(true));

  /** The page shows something else, or is back; nothing when the numbers were given back. */
  const moved = (): unknown => released || refresh();
  // Said on an earlier page.
  if (isDenied()) void release();
  // The service sees the stream end by itself; another tab of the device may take it over.
  watchPage(scan, moved, seen, () => stream?.hangUp());
  return { identify: (token) => otherPerson("identify", { token, consent: settings["visitorConsent"] }), leave: () => otherPerson("leave"), refresh, release };
}
