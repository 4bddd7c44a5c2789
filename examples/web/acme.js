// The demo site's own script: what a real site would have anyway, and the few lines in which it uses Dialplane.

/** @template {HTMLElement} Kind @param {string} id @param {new () => Kind} kind @returns {Kind} */
function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${id}`);
  return element;
}

const pricing = byId("pricing", HTMLElement);
const dialog = byId("sign-in-dialog", HTMLDialogElement);

for (const button of document.querySelectorAll("[data-open=pricing]")) {
  button.addEventListener("click", () => {
    // From now on the visitor sees the number of media element "pricing": unhiding is what makes Dialplane ask for it.
    pricing.hidden = false;
    pricing.scrollIntoView({ behavior: "smooth" });
  });
}

document.addEventListener("dialplane:number", ({ target, detail }) => {
  report(detail);
  if (target instanceof HTMLElement && target.classList.contains("number")) {
    target.classList.remove("fresh");
    requestAnimationFrame(() => target.classList.add("fresh"));
  }
  if (detail.pushed && detail.number && detail.mediaElement === "pricing" && pricing.hidden) {
    pricing.hidden = false;
    byId("continued", HTMLElement).hidden = false;
  }
});

/** @type {Map<string, import("../../src/snippet/api.ts").DialplaneNumber>} */
const numbers = new Map();

/** @param {import("../../src/snippet/api.ts").DialplaneNumber} number */
function report(number) {
  numbers.set(number.mediaElement, number);
  const lines = [...numbers.values()].flatMap((shown) => {
    const name = document.createElement("dt");
    name.textContent = shown.mediaElement;
    const value = document.createElement("dd");
    const how = shown.pushed ? "pushed: shown on your other device" : shown.status;
    value.textContent = `${shown.number ?? "the page's own number"} (${how})${shown.expiresAt ? `, yours until ${new Date(shown.expiresAt).toLocaleTimeString()}` : ""}`;
    return [name, value];
  });
  byId("facts", HTMLElement).replaceChildren(...lines);
}

byId("sign-in", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
byId("sign-in-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
dialog.querySelector("form")?.addEventListener("submit", () => void signIn(byId("subject", HTMLInputElement).value));
byId("sign-out", HTMLButtonElement).addEventListener("click", () => void signOut());
byId("place-call", HTMLButtonElement).addEventListener("click", () => void placeCall());

/** The site's own back end knows who logged in and signs it (docs/identify.md). @param {string} subject */
async function signIn(subject) {
  const response = await fetch(`/demo/token?subject=${encodeURIComponent(subject)}`).catch(() => null);
  if (!response?.ok) {
    notify("Signing in doesn't work here: the demo's back end did not answer.");
    return;
  }
  const { token } = await response.json();
  await window.dialplane?.identify(token);
  showPerson(subject);
}

async function signOut() {
  await window.dialplane?.leave();
  showPerson(null);
}

/** @param {string | null} name */
function showPerson(name) {
  byId("who", HTMLElement).textContent = name === null ? "" : `Hello, ${name}`;
  byId("who", HTMLElement).hidden = name === null;
  byId("sign-out", HTMLElement).hidden = name === null;
  byId("sign-in", HTMLElement).hidden = name !== null;
}

async function placeCall() {
  const number = [...numbers.values()].at(-1)?.number;
  const result = byId("call-result", HTMLOutputElement);
  if (!number) {
    result.value = "There is no number of your own yet.";
    return;
  }
  result.value = "Ringing…";
  const response = await fetch("/demo/call", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ number }),
  }).catch(() => null);
  const body = await response?.json().catch(() => null);
  result.value = body?.message ?? (response?.ok ? "Called." : "Only npm run demo has a telephone network to call from.");
}

let hiding = 0;

/** @param {string} message */
function notify(message) {
  const notice = byId("notice", HTMLElement);
  notice.textContent = message;
  notice.hidden = false;
  clearTimeout(hiding);
  hiding = window.setTimeout(() => (notice.hidden = true), 6000);
}
