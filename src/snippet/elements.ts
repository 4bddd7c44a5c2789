/** Media elements of the page: `[data-dialplane="<media element>"]`, with `data-pool` of its own or of the script tag. */
export interface Wanted {
  readonly pool: string;
  readonly mediaElement: string;
}

const nameForm = /^[A-Za-z0-9][\w.-]{0,62}$/;

export const keyOf = ({ pool, mediaElement }: Wanted): string => `${pool} ${mediaElement}`;

/** One name out of format must not spoil the request for the others, so such elements are left alone. */
export function markedElements(defaultPool: string | undefined): readonly { readonly element: HTMLElement; readonly wanted: Wanted }[] {
  return [...document.querySelectorAll<HTMLElement>("[data-dialplane]")].flatMap((element) => {
    const { dialplane = "", pool = defaultPool } = element.dataset;
    return pool && nameForm.test(dialplane) ? [{ element, wanted: { pool, mediaElement: dialplane } }] : [];
  });
}

/** Asking for a number says "this person sees it now", so hidden parts wait until they are shown. */
export function isHidden(element: Element): boolean {
  return !!element.closest("[hidden]");
}
