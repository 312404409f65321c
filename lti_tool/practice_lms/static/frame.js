// The frame around a tool: hides the loading note, and lets the tool ask for the height it needs.
"use strict";

for (const box of document.querySelectorAll(".frame")) {
  const frame = box.querySelector("iframe");

  frame.addEventListener("load", () => {
    // Of another site's page nothing can be read: that is the tool. Our own forwarding pages are still on their way.
    const page = frame.contentDocument;
    if (page === null || page.body.dataset.forwarding === undefined) box.classList.add("loaded");
  });

  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== box.dataset.toolOrigin) return;
    let message = event.data;
    if (typeof message === "string") {
      try { message = JSON.parse(message); } catch { return; }
    }
    const height = Number(message?.height);
    if (message?.subject === "lti.frameResize" && Number.isFinite(height)) {
      frame.style.height = `${Math.min(Math.max(height, 320), 4000)}px`;
    }
  });
}
