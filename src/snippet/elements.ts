/** Media elements of the page: `[data-dialplane="<media element>"]`, with `data-pool` of its own or of the script tag. */
export interface Wanted {
  readonly pool: string;
  readonly mediaElement: string;
}

/** A media element as it stands in the page. */
export interface Marked {
  readonly element: HTMLElement;
  readonly wanted: Wanted;
  readonly key: string;
}

/** What the service takes: `namespace/name` and the name of a media element. */
const keyForm = /^[a-z\d-]+\/[a-z\d.-]+ [^\W_][\w.-]{0,62}$/;

export const keyOf = ({ pool, mediaElement }: Wanted): string => pool + " " + mediaElement;

/** One element out of format must not spoil the request for the others, so such elements are left alone. So are those within others: their text is both's. */
export function markedElements(defaultPool: string | undefined): readonly Marked[] {
  return [...document.querySelectorAll<HTMLElement>("[data-dialplane]:not([data-dialplane] *)")].flatMap((element) => {
    const { dialplane: mediaElement, pool = defaultPool } = element.dataset;
    const wanted = { pool, mediaElement } as Wanted;
    const key = keyOf(wanted);
    return keyForm.test(key) ? [{ element, wanted, key }] : [];
  });
}
