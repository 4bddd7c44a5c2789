/**
 * What the browser script puts on `window`. All methods resolve when the page shows the new state; none of them ever rejects:
 * when anything fails, the page keeps the number it shows, or its own where the person may be another.
 */
export interface Dialplane {
  /**
   * Tells who logged in. The person's devices share one number from then on.
   * @param token made by the site's back end (docs/identify.md)
   */
  readonly identify: (token: string) => Promise<void>;
  /** The person logged out: this device is somebody else's now, and other numbers are shown. */
  readonly leave: () => Promise<void>;
  /** Asks again for every media element of the page, for example after the visitor consented. */
  readonly refresh: () => Promise<void>;
  /** Gives the numbers back and shows the page's own ones until `refresh` is called, in every tab. The person's other devices are told. */
  readonly release: () => Promise<void>;
}

/** What one media element shows; `detail` of the event `dialplane:number`. */
export interface DialplaneNumber {
  readonly pool: string;
  readonly mediaElement: string;
  readonly status: "assigned" | "overflow" | "unchanged";
  /** E.164; null when the page keeps its own number. */
  readonly number: string | null;
  /** As the page writes it. */
  readonly display: string | null;
  readonly tel: string | null;
  /** RFC 3339. */
  readonly expiresAt: string | null;
  /** Milliseconds from the answer's arrival, whatever the visitor's clock shows. Absent where `expiresAt` is null. */
  readonly expiresIn?: number;
  /** Another device of the same person was just shown this number with this media element. */
  readonly pushed?: true;
}

/** The event that is dispatched on each swapped element, or on the document when no element of the page has the media element. */
export const numberEvent = "dialplane:number";

declare global {
  interface Window {
    dialplane?: Dialplane;
  }
  interface GlobalEventHandlersEventMap {
    "dialplane:number": CustomEvent<DialplaneNumber>;
  }
}
