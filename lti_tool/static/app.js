// What every page needs: times in the reader's zone, parts that update themselves, forms that are sent once.
// Nothing here is needed to use the pages; they are plain forms and links without it.

import { authorized } from "./launch_token.js";
import { region } from "./region.js";

document.documentElement.classList.add("has-script");

const TIME = { hour: "numeric", minute: "2-digit", timeZoneName: "short" };
const DAY_AND_TIME = { day: "numeric", month: "short", year: "numeric", ...TIME };

/** Show every <time> below `root` as the reader writes it, in their zone, which it names; the title has the exact moment. */
export function localizeTimes(root) {
  const day = (moment) => moment.toDateString();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const sameDay = day(moment) === day(new Date());
    const written = new Intl.DateTimeFormat(region, sameDay ? TIME : DAY_AND_TIME).format(moment);
    // No line ends between a time and its zone.
    element.textContent = written.replace(/ (?=\S+$)/, "\u00a0");
    element.title = new Intl.DateTimeFormat(region, { dateStyle: "full", timeStyle: "long" }).format(moment);
  }
}

/** Keep the parts of `region` up to date. Only a part that changed is replaced, so that nothing is read out twice. */
function keepUpToDate(region) {
  const parts = (root) => [...root.querySelectorAll("[data-part]")];
  const shown = new Map(parts(region).map((part) => [part.dataset.part, part.outerHTML]));
  const problem = document.getElementById(region.dataset.problem);
  let failures = 0;

  const secondsToNext = () => Number(region.querySelector("[data-next]")?.dataset.next ?? 0);
  const later = (seconds) => seconds > 0 && setTimeout(update, seconds * 1000);

  async function update() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", update, { once: true });
      return;
    }
    try {
      const response = await fetch(region.dataset.live, { headers: authorized({ Accept: "text/html" }) });
      if (response.status === 401 || response.status === 404) {
        if (problem) problem.hidden = false;
        return;
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      put(new DOMParser().parseFromString(await response.text(), "text/html").body);
      failures = 0;
    } catch {
      failures += 1;
    }
    later(failures ? Math.min(60, 2 ** failures * 2) : secondsToNext());
  }

  function put(fresh) {
    const marker = region.querySelector("[data-next]");
    const next = fresh.querySelector("[data-next]");
    if (marker && next) marker.dataset.next = next.dataset.next;
    for (const part of parts(fresh)) {
      const name = part.dataset.part;
      const html = part.outerHTML;
      const old = parts(region).find((element) => element.dataset.part === name);
      if (!old || shown.get(name) === html) continue;
      shown.set(name, html);
      replace(old, part);
    }
  }

  later(secondsToNext());
}

/** A live region only speaks when its content changes while it stays in the page. */
function replace(old, fresh) {
  localizeTimes(fresh);
  if (old.getAttribute("role") === "status") {
    old.replaceChildren(...document.importNode(fresh, true).childNodes);
    return;
  }
  const open = [...old.querySelectorAll("details[open][id]")].map((element) => element.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const added = document.importNode(fresh, true);
  old.replaceWith(added);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** A second click on a button that already sends its form does nothing. */
function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => delete form.dataset.sent);
}

/** Narrow a list while typing; the button next to the field does the same on the server. */
function filterWhileTyping(input) {
  const items = [...document.querySelectorAll(input.dataset.filter)];
  const none = document.getElementById(input.dataset.none);
  const apply = () => {
    const words = input.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      const text = item.dataset.text;
      item.hidden = !words.every((word) => text.includes(word));
      count += item.hidden ? 0 : 1;
    }
    if (none) none.hidden = count > 0;
  };
  input.addEventListener("input", apply);
}

/** One more row of fields, made from the last one. */
function addRows(button) {
  button.addEventListener("click", () => {
    const rows = document.querySelectorAll(button.dataset.addRow);
    const last = rows[rows.length - 1];
    const row = last.cloneNode(true);
    for (const [place, field] of row.querySelectorAll("input, textarea").entries()) {
      field.id = `${button.dataset.addRow.replace(/\W/g, "")}-${rows.length}-${place}`;
      field.value = field.defaultValue = field.dataset.empty ?? "";
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
      row.querySelectorAll("label")[place]?.setAttribute("for", field.id);
    }
    for (const fault of row.querySelectorAll(".fault")) fault.remove();
    last.after(row);
    row.querySelector("input, textarea").focus();
  });
}

/** A quiz that is open in a new window leaves a note here. */
export function noteTheWindow(link) {
  link.addEventListener("click", () => {
    const note = document.importNode(document.getElementById("window-open").content, true);
    const wayOut = link.closest("[data-way-out]");
    // The link itself moves there, for another try.
    link.classList.remove("button--main");
    link.textContent = link.dataset.opensWindow;
    note.querySelector(".actions").append(link);
    wayOut.replaceWith(note);
  }, { once: true });
}

/** A day and time is typed in the reader's own time: say how far that is from UTC then, and name the zone. */
function tellOffset(input) {
  const offset = document.getElementById(input.dataset.offset);
  const zone = input.closest(".field")?.querySelector("[data-zone]");
  const tell = () => {
    const moment = input.valueAsNumber ? new Date(input.value) : new Date();
    offset.value = String(moment.getTimezoneOffset());
    if (!zone) return;
    const parts = new Intl.DateTimeFormat(region, { timeZoneName: "long" }).formatToParts(moment);
    zone.textContent = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
  };
  input.addEventListener("input", tell);
  input.form.addEventListener("submit", tell);
  tell();
}

for (const link of document.querySelectorAll("[data-opens-window]")) noteTheWindow(link);
for (const region of document.querySelectorAll("[data-live]")) keepUpToDate(region);
for (const input of document.querySelectorAll("[data-offset]")) tellOffset(input);
for (const form of document.querySelectorAll("form[method=post]")) sendOnce(form);
for (const input of document.querySelectorAll("[data-filter]")) filterWhileTyping(input);
for (const button of document.querySelectorAll("[data-add-row]")) addRows(button);
localizeTimes(document);
(document.querySelector("[data-focus]") ?? document.querySelector("[aria-invalid=true]"))?.focus();
