// The frame with a tool's registration page: goes away when that page, and nobody else, says that it is done.
"use strict";

const registration = document.getElementById("registration");
const box = registration.querySelector(".frame");

window.addEventListener("message", (event) => {
  const frame = box.querySelector("iframe");
  if (event.source !== frame?.contentWindow || event.origin !== box.dataset.toolOrigin) return;
  if (event.data?.subject !== "org.imsglobal.lti.close") return;
  frame.remove();
  window.location.assign(registration.dataset.tools);
});
