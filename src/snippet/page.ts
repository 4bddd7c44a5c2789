import { numberEvent, type Dialplane, type DialplaneNumber } from "./api.ts";
import { keyOf, markedElements, type Marked } from "./elements.ts";
import type { Session } from "./session.ts";
import { createStream, type PushStream } from "./stream.ts";
import { swap } from "./swap.ts";

/** The service answers no more at a time. */
const maxElements = 32;
/** Keeps a visitor's wrong clock from asking all the time. */
const minRenewalMs = 60_000;

/** What the page shows now, and the requests that change it. Methods are fields, so that they can be handed on as they are. */
export class Page implements Dialplane {
  readonly #script: HTMLScriptElement;
  readonly #session: Session;
  readonly #stream: PushStream;
  readonly #shown = new Map<string, DialplaneNumber>();
  readonly #asked = new Set<string>();
  #released = false;
  #renewal = 0;

  constructor(script: HTMLScriptElement, session: Session) {
    this.#script = script;
    this.#session = session;
    this.#stream = createStream(session, (pushed) => this.#show(pushed));
  }

  /** Swaps what is known at once, before the next paint; asks for the rest. */
  readonly scan = (): void => {
    if (this.#released) return;
    const marked = this.#marked();
    for (const { element, key } of marked) {
      const known = this.#shown.get(key);
      if (known) swap(element, known);
    }
    void this.#ask(marked.filter(({ key }) => !this.#shown.has(key)));
  };

  readonly identify = (token: string): Promise<void> => this.#otherPerson("identify", { token });

  readonly leave = (): Promise<void> => this.#otherPerson("leave", {});

  readonly refresh = (): Promise<void> => {
    this.#released = false;
    this.#asked.clear();
    return this.#ask(this.#marked());
  };

  readonly release = (): Promise<void> => {
    const pools = new Set([...this.#shown.values()].map(({ pool }) => pool));
    this.#released = true;
    this.#shown.clear();
    clearTimeout(this.#renewal);
    this.#stream.hangUp();
    for (const { element } of this.#marked()) swap(element);
    return this.#session.enqueue(() => Promise.all([...pools].map((pool) => this.#session.post("release", { pool }))));
  };

  /** The tab is looked at again: asks again where the renewal came due meanwhile. */
  readonly seen = (): void => {
    if (!document.hidden && !this.#renewal && this.#shown.size) void this.refresh();
  };

  /** The service sees the stream end by itself; another tab of the device may take it over. */
  readonly gone = (): void => this.#stream.hangUp();

  #marked() {
    return markedElements(this.#script.dataset["pool"]);
  }

  /** Each media element once. Asking says "this person sees it now", so hidden parts wait until they are shown. */
  #ask(marked: readonly Marked[]): Promise<void> {
    const asked = marked.filter(({ element, key }) => !element.closest("[hidden]") && !this.#asked.has(key) && this.#asked.add(key));
    return this.#session.enqueue(async () => {
      const consent = this.#script.dataset["visitorConsent"];
      while (asked.length && consent !== "denied") {
        const elements = asked.splice(0, maxElements).map(({ wanted }) => wanted);
        const body = { elements, page: location.href.slice(0, 2048), ...this.#session.source, consent };
        for (const answer of (await this.#session.post("numbers", body)).elements ?? []) this.#show(answer);
      }
    });
  }

  #show(answer: DialplaneNumber): void {
    if (this.#released) return;
    this.#shown.set(keyOf(answer), answer);
    const elements = this.#marked().flatMap(({ element, key }) => (key === keyOf(answer) ? [element] : []));
    for (const element of elements) swap(element, answer);
    for (const target of elements.length ? elements : [document]) target.dispatchEvent(new CustomEvent(numberEvent, { bubbles: true, detail: answer }));
    if (!answer.expiresAt) return;
    this.#stream.listen();
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => {
      this.#renewal = 0;
      this.seen();
    }, Math.max(minRenewalMs, ((Date.parse(answer.expiresAt) - Date.now()) * 2) / 3));
  }

  /** Numbers of hidden parts belong to who was here before; visible ones stay until the answer is there, without a flicker. */
  #otherPerson(path: string, body: object): Promise<void> {
    return this.#session
      .enqueue(() => this.#session.post(path, body).then(() => this.#shown.clear()))
      .then(this.refresh);
  }
}
