import type { Dialplane, DialplaneNumber } from "./api.ts";
// In this order they compress best.
import { swap } from "./swap.ts";
import { keyOf, markedElements } from "./elements.ts";
import { watchPage } from "./watch.ts";
import { createStream } from "./stream.ts";
import { guarded, type Session } from "./session.ts";

/** A while from a moment on; without an end where none is said. */
interface Term {
  /** By the clock on the wall, because timers stand still while a computer sleeps. It may be wrong, so it is compared with itself only. */
  arrived: number;
  readonly expiresIn?: number;
}

/** What tabs of one browser tell each other: what was pushed; that the numbers were given back, by a visitor who said this; 0: another person is here. */
type Message = DialplaneNumber | Consent | 0;
type Consent = string | undefined;
type Shown = DialplaneNumber & Term;

/** Nothing when it is over, or nothing is known; nor when the clock was set back: nobody can say then how much has passed. */
function alive<Known extends Term>(term: Known | undefined): false | Known | undefined {
  const passed = Date.now() - (term?.arrived as number);
  return passed >= 0 && !(passed > ((term as Known).expiresIn as number)) && term;
}

/** Gives everything back that this tab was answered. */
function giveBack(session: Session, shown: Map<string, Shown>, said: Message): unknown {
  const pools = [...new Set([...shown.values()].map(({ pool }) => pool))];
  shown.clear();
  // Who was shown nothing is not told of: he may have said no.
  const sent = pools[0] && session.post("release", { pools, consent: said });
  if (said === "denied") session.forget();
  return sent;
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
  let channel: BroadcastChannel | undefined;
  let address: string | undefined;
  const stream = createStream(session, hear);

  /** Not what a template left empty: the service would refuse the request. */
  const consent = (): Consent => ["granted", "denied"].find((said) => said === settings["visitorConsent"]);

  /** Every element shows its number, as long as it is lent, and else the page's own: an old one may be somebody else's by then. What is due is asked for. */
  function scan(): Promise<void> {
    if (!released && consent() === "denied") void release();
    if (address !== (address = location.href.split("#")[0])) asked.clear();
    // Each media element once.
    const wanted = markedElements(settings["pool"]).filter(({ element, key }) => {
      swap(element, !released && alive(shown.get(key)));
      // Asking says "this person sees it now", so hidden parts, and pages in the background or drawn in advance, wait until they are shown.
      // What is not answered is asked for again after a minute: no "Retry-After" of the service is longer.
      return !(released || document.hidden || element.closest("[hidden]") || alive(asked.get(key))) && asked.set(key, { arrived: Date.now(), expiresIn: 60_000 });
    });
    return session.enqueue(async () => {
      while (wanted[0] && !released) {
        // The service answers no more at a time.
        const answer = await session.post("numbers", { elements: wanted.splice(0, 32).map((one) => one.wanted), page: (address as string).slice(0, 2048), ...session.source, consent: consent() });
        answer.elements?.forEach(show);
      }
    });
  }

  function show(answer: DialplaneNumber): unknown {
    const arrived = Date.now();
    const key = keyOf(answer);
    // After a release as well: what was on its way is to be given back.
    shown.set(key, { ...answer, arrived });
    if (released) return released;
    // Also what was pushed. Some seconds at least, however short the service says that its answer holds.
    asked.set(key, { arrived, expiresIn: (answer.expiresIn as number) / 1.5 + 5_000 });
    const elements = markedElements(settings["pool"]).filter((one) => one.key === key).map((one) => swap(one.element, answer));
    for (const target of elements[0] ? elements : [document]) target.dispatchEvent(new CustomEvent<DialplaneNumber>("dialplane:number", { bubbles: true, detail: answer }));
    // Of a number that is this person's alone.
    return answer.expiresAt && stream.listen();
  }

  const again = () => (asked.clear(), scan());
  const refresh = () => ((released = false), again());
  const release = () => hear(consent());

  const otherPerson = (path: string, body?: object) => session.enqueue(() => consent() === "denied" || session.post(path, body)).then(() => hear(0));

  /** @param told by another tab, which has told the service */
  async function hear(message: Message, told?: unknown): Promise<void> {
    if (!told) channel?.postMessage(message);
    if (message === 0) {
      // Numbers of hidden parts belong to who was here before; visible ones stay, without a flicker, until the answer is there or didn't come.
      const before = [...shown.values()];
      await again();
      before.forEach((one) => (one.arrived = 0));
      return scan();
    }
    if ((message as DialplaneNumber | undefined)?.pool) return void show(message as DialplaneNumber);
    // That tab gives them back, this one what it is being answered just now.
    if (told) shown.clear();
    released = true;
    stream.hangUp();
    void scan();
    return session.enqueue(() => giveBack(session, shown, message));
  }

  // The service sees the stream end by itself; another tab of the device may take it over. Back from the back/forward cache, perhaps days later, the page asks again.
  watchPage(scan, () => (asked.clear(), stream.hangUp()));
  // Some browsers have none where storage is blocked.
  guarded(() => {
    channel = new BroadcastChannel("dialplane");
    channel.onmessage = (event: MessageEvent<Message>) => hear(event.data, event);
  });
  return { identify: (token) => otherPerson("identify", { token, consent: consent() }), leave: () => otherPerson("leave"), refresh, release };
}
