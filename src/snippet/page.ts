import type { Dialplane, DialplaneNumber } from "./api.ts";
// In this order they compress best.
import { swap } from "./swap.ts";
import { keyOf, markedElements } from "./elements.ts";
import { watchPage } from "./watch.ts";
import { createStream, type PushStream } from "./stream.ts";
import type { Session } from "./session.ts";

/** A while from a moment on; without an end where none is said. */
interface Term {
  /** By the clock on the wall, because timers stand still while a computer sleeps. It may be wrong, so it is compared with itself only. */
  arrived: number;
  readonly expiresIn?: number;
}

type Shown = DialplaneNumber & Term;

/** Nothing when it is over, or nothing is known; nor when the clock was set back: nobody can say then how much has passed. */
function alive<Known extends Term>(term: Known | undefined): false | Known | undefined {
  const passed = Date.now() - (term?.arrived as number);
  return passed >= 0 && !(passed > ((term as Known).expiresIn as number)) && term;
}

/**
 * What the page shows now, and the requests that change it. Functions in a closure: their names, unlike those of members, become short.
 *
 * @param settings attributes of the script tag, as they are now
 */
export function createPage(settings: DOMStringMap, session: Session): Dialplane {
  /** The last answers. */
  const shown = new Map<string, Shown>();
  /** Not to be asked for again until then. */
  const asked = new Map<string, Term>();
  /** By the page, or because the visitor has said no. */
  let released: boolean | undefined;
  let stream: PushStream | undefined;
  let address: string | undefined;

  const isDenied = () => settings["visitorConsent"] === "denied";

  /** Every element shows its number, as long as it is lent, and else the page's own: an old one may be somebody else's by then. What is due is asked for. */
  function scan(): Promise<void> {
    if (address !== (address = location.href.split("#")[0])) asked.clear();
    // Each media element once.
    const wanted = markedElements(settings["pool"]).filter(({ element, key }) => {
      swap(element, (!released && alive(shown.get(key))) || undefined);
      // Asking says "this person sees it now", so hidden parts, and pages in the background or drawn in advance, wait until they are shown.
      // What is not answered is asked for again after a minute: no "Retry-After" of the service is longer.
      return !(released || document.hidden || element.closest("[hidden]") || alive(asked.get(key))) && asked.set(key, { arrived: Date.now(), expiresIn: 60_000 });
    });
    return session.enqueue(async () => {
      while (wanted[0] && !released) {
        // The service answers no more at a time.
        const answer = await session.post("numbers", { elements: wanted.splice(0, 32).map((one) => one.wanted), page: (address as string).slice(0, 2048), ...session.source, consent: settings["visitorConsent"] });
        answer.elements?.forEach(show);
      }
    });
  }

  function show(answer: DialplaneNumber): void {
    const arrived = Date.now();
    const key = keyOf(answer);
    if (released) return;
    shown.set(key, { ...answer, arrived });
    // Also what was pushed. Some seconds at least, however short the service says that its answer holds.
    asked.set(key, { arrived, expiresIn: (answer.expiresIn as number) / 1.5 + 5_000 });
    const elements = markedElements(settings["pool"]).filter((one) => one.key === key).map((one) => swap(one.element, answer));
    for (const target of elements[0] ? elements : [document]) target.dispatchEvent(new CustomEvent<DialplaneNumber>("dialplane:number", { bubbles: true, detail: answer }));
    // Of a number that is this person's alone.
    if (answer.expiresAt) queueMicrotask(() => (stream ??= createStream(session, hear)).listen());
  }

  const again = () => (asked.clear(), scan());
  const refresh = () => ((released = isDenied()) ? release() : again());

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
    void scan();
  }

  const hear = (message: DialplaneNumber | null) => (message ? show(message) : withdraw());

  async function otherPerson(path: string, body?: object): Promise<void> {
    await session.enqueue(() => isDenied() || session.post(path, body));
    // Numbers of hidden parts belong to who was here before; visible ones stay, without a flicker, until the answer is there or didn't come.
    const before = [...shown.values()];
    await again();
    before.forEach((one) => (one.arrived = 0));
    return scan();
  }

  // The service sees the stream end by itself; another tab of the device may take it over. Back from the back/forward cache, perhaps days later, the page asks again.
  watchPage(scan, () => (asked.clear(), stream?.hangUp()));
  // Said on an earlier page.
  if (isDenied()) void release();
  return { identify: (token) => otherPerson("identify", { token, consent: settings["visitorConsent"] }), leave: () => otherPerson("leave"), refresh, release };
}
