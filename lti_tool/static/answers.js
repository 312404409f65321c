// Saves answers while they are written: a second after typing stops, when a field is left, when the page goes away.
// Until the server has a text, a copy stays in this browser, and comes back after a crash or a lost connection.

import { authorized } from "./launch_token.js";
import { region } from "./region.js";

const form = document.querySelector("form[data-answers]");
const words = form.dataset;
const announcer = document.getElementById("save-announcement");
const RETRY_SECONDS = [2, 5, 10, 20, 30];
const SAVE_AFTER_MS = 1000;
// Browsers allow 64 KiB of requests that outlive their page.
const KEEPALIVE_LIMIT = 60_000;
// How often a text of another window came in.
let merges = 0;

/** CRC-32 of the text, as the server reckons it: tells the server which texts this page knows. */
function markOf(text) {
  let sum = ~0;
  for (const byte of new TextEncoder().encode(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (~sum >>> 0).toString(16);
}

/** Said aloud and shown beside the button, where it is seen whichever answer it is about. */
function announce(text, state) {
  announcer.textContent = text;
  announcer.dataset.state = state;
}

class Draft {
  constructor(field) {
    this.field = field;
    this.key = `mlquiz:${words.attempt}:${field.dataset.question}`;
    this.state = document.getElementById(field.dataset.state);
    // What the page brought: a fast typist may have begun before this script ran.
    this.savedText = field.defaultValue;
    this.savedAt = field.dataset.savedAt;
    this.base = form.elements[`base-${field.dataset.question}`];
    this.known = form.elements[`known-${field.dataset.question}`];
    this.unheard = new Set();
    this.isMerged = false;
    this.tellWhatIsKnown();
    this.failures = 0;
    this.sending = null;
    this.timer = 0;
    if (this.savedAt) this.showSaved();
    this.restore();
    field.addEventListener("input", () => this.typed());
    field.addEventListener("blur", () => this.save());
    if (this.isDirty && !this.sending) this.typed();
  }

  get isDirty() {
    return this.field.value !== this.savedText;
  }

  typed() {
    this.keepCopy();
    if (this.isDirty) this.show(words.textUnsaved, "writing");
    this.saveAfter(SAVE_AFTER_MS);
  }

  saveAfter(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), milliseconds);
  }

  /** Send what is not saved yet. One request at a time, so that an older text never arrives after a newer one. */
  save({ keepalive = false } = {}) {
    clearTimeout(this.timer);
    if (!this.isDirty || (this.sending && !keepalive)) return;
    this.sending?.abort.abort();
    const abort = new AbortController();
    const sending = { abort, done: this.send(this.field.value, abort.signal, keepalive) };
    this.sending = sending;
    sending.done.finally(() => {
      if (this.sending === sending) this.sending = null;
    });
  }

  /** Texts that were sent without an answer may be stored: they are no other window's. */
  tellWhatIsKnown() {
    this.base.value = this.savedAt ?? "";
    this.known.value = [markOf(this.savedText), ...this.unheard].join(" ");
  }

  async send(text, signal, keepalive) {
    const known = { base: this.base.value, known: this.known.value };
    const body = new URLSearchParams({ answer: text, ...known, [words.tokenName]: words.token });
    this.unheard.add(markOf(text));
    this.tellWhatIsKnown();
    try {
      const response = await fetch(this.field.dataset.saveUrl, {
        method: "POST",
        body,
        headers: authorized({ Accept: "application/json" }),
        keepalive: keepalive && body.toString().length < KEEPALIVE_LIMIT,
        signal,
      });
      if (response.ok) this.stored(text, await response.json());
      else if (response.status >= 500 || response.status === 429) this.failed();
      else this.refused(response.status);
    } catch {
      if (!signal.aborted) this.failed();
    }
  }

  stored(text, reply) {
    if (this.failures) announce(words.textSavedAgain, "saved");
    this.failures = 0;
    if (reply.merged) this.takeIn(text, reply.answer);
    this.savedText = reply.merged ? reply.answer : text;
    this.savedAt = reply.saved_at;
    this.unheard.clear();
    this.tellWhatIsKnown();
    if (this.isDirty) {
      this.keepCopy();
      this.saveAfter(SAVE_AFTER_MS);
    } else {
      this.dropCopy();
      this.showSaved();
    }
  }

  /** Another window wrote too: its text comes in here, beside what was typed since `sent` went out. */
  takeIn(sent, kept) {
    const typed = this.field.value;
    if (typed === sent && !kept.endsWith(sent)) this.field.value = kept;
    else if (kept.endsWith(sent) && sent.trim()) this.field.setRangeText(kept.slice(0, -sent.length), 0, 0, "preserve");
    else this.field.setRangeText(typed.trim() ? `${kept}\n\n` : kept, 0, 0, "preserve");
    merges += 1;
    this.isMerged = true;
    announce(words.textMerged, "problem");
  }

  failed() {
    this.show(words.textNotSaved, "problem");
    if (!this.failures) announce(words.textNotSaved, "problem");
    this.saveAfter(RETRY_SECONDS[Math.min(this.failures, RETRY_SECONDS.length - 1)] * 1000);
    this.failures += 1;
  }

  /** Trying again does not help: the attempt was handed in, the launch is over, or the text is too long. */
  refused(status) {
    const text = { 401: words.textOver, 409: words.textHandedIn, 413: words.textTooLong, 422: words.textTooLong }[status];
    this.show(text ?? words.textNotSaved, "problem");
    announce(this.state.textContent, "problem");
  }

  showSaved() {
    const style = { timeStyle: "short" };
    const time = new Intl.DateTimeFormat(region, style).format(new Date(this.savedAt));
    const saved = words.textSaved.replace("{time}", time);
    this.show(this.isMerged ? `${words.textMerged} ${saved}` : saved, this.isMerged ? "problem" : "saved");
  }

  show(text, state) {
    this.state.textContent = text;
    this.state.dataset.state = state;
  }

  // The copy in this browser. Storage may be forbidden in a frame; then there is just no copy.

  keepCopy() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ text: this.field.value, base: this.savedAt ?? "" }));
    } catch {
      /* no storage */
    }
  }

  dropCopy() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      /* no storage */
    }
  }

  restore() {
    let copy = null;
    try {
      copy = JSON.parse(localStorage.getItem(this.key));
    } catch {
      return;
    }
    if (!copy || typeof copy.text !== "string" || copy.text === this.savedText) {
      this.dropCopy();
      return;
    }
    // Both are kept where something was typed before this script could show the copy.
    const typed = this.isDirty ? `\n\n${this.field.value}` : "";
    if (copy.base === (this.savedAt ?? "")) this.take(copy.text + typed);
    else this.offer(copy.text);
  }

  take(text) {
    this.field.value = text;
    this.show(words.textRestored, "writing");
    this.save();
  }

  /** The answer was changed elsewhere since: the student decides which text stays. */
  offer(text) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button--small";
    button.textContent = words.textOffer;
    button.addEventListener("click", () => {
      button.remove();
      this.take(text);
    });
    this.state.after(button);
  }
}

const drafts = [...form.querySelectorAll("textarea[data-question]")].map((field) => new Draft(field));

/** Where the quiz closes when it is due: what is written goes out then, and the page goes on to the result. */
function closeInTime() {
  const seconds = Number(words.closesIn);
  // Timers count no further than 24 days; who leaves a page open for longer loads it again.
  if (!(seconds < 2_000_000)) return;
  setTimeout(() => {
    for (const draft of drafts) {
      draft.field.readOnly = true;
      draft.save();
    }
    announce(words.textTimeIsUp, "writing");
  }, seconds * 1000);
  setTimeout(() => drafts.some((draft) => draft.isDirty) || location.reload(), Number(words.endsIn) * 1000);
}

closeInTime();
const saveAll = () => drafts.forEach((draft) => draft.save({ keepalive: true }));
window.addEventListener("pagehide", saveAll);
// Inside a frame some browsers give the page no storage: what is not saved yet is only here, so ask before it goes.
window.addEventListener("beforeunload", (event) => {
  if (drafts.some((draft) => draft.isDirty)) event.preventDefault();
});
document.addEventListener("visibilitychange", () => document.hidden && saveAll());
window.addEventListener("online", () => drafts.forEach((draft) => draft.save()));
// The form itself carries every answer; a text that is still on its way must not arrive after it.
form.addEventListener("submit", (event) => {
  for (const draft of drafts) clearTimeout(draft.timer);
  const underWay = drafts.filter((draft) => draft.sending).map((draft) => draft.sending.done);
  if (underWay.length === 0) {
    for (const draft of drafts) draft.savedText = draft.field.value;
    return;
  }
  event.preventDefault();
  const before = merges;
  Promise.allSettled(underWay).then(() => {
    delete form.dataset.sent;
    // A text of another window just came in: the student looks at it first.
    if (merges === before) form.requestSubmit(event.submitter);
  });
});
// A page that the browser had put aside shows what is stored now, unless it holds something newer itself.
window.addEventListener("pageshow", (event) => {
  if (event.persisted && !drafts.some((draft) => draft.isDirty)) location.reload();
});
