// A launch without the login's cookie: the platform's frame kept the login's secret, which proves that the browser that
// launches is the one that logged in. It travels in a header, which no page of another site can send.

import { noteTheWindow } from "./app.js";
import { PlatformStorage } from "./platform_storage.js";

const form = document.getElementById("launch");
const storage = new PlatformStorage(form.dataset);

async function launch() {
  const proof = await storage.get(form.dataset.storageKey);
  if (!proof) return showWayOut();
  const response = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json", "X-Launch-Proof": proof },
    body: new URLSearchParams(new FormData(form)),
  });
  const reply = await response.json();
  if (!response.ok) return showWayOut(reply.message);
  storage.drop(form.dataset.storageKey);
  // Back must not send the launch again; it leads to the quiz, too.
  history.replaceState({ launchToken: reply.token }, "", reply.location);
  return window.openLaunchPage(reply.location, reply.token);
}

/** The quiz cannot open in this frame: a new window can. */
function showWayOut(reason = "") {
  const wayOut = document.importNode(document.getElementById("way-out").content, true);
  const told = wayOut.querySelector("[data-reason]");
  told.hidden = !reason;
  told.textContent = reason;
  wayOut.querySelectorAll("[data-opens-window]").forEach(noteTheWindow);
  document.getElementById("opening").replaceWith(wayOut);
  document.querySelector("h1").focus();
}

launch().catch(() => showWayOut());
