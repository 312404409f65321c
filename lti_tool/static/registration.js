// The last page of a registration: asks the platform, and nobody else, to close the frame or window it opened.

const button = document.querySelector("[data-close]");
const platform = window.opener ?? (window.parent === window ? null : window.parent);

if (platform) {
  button.hidden = false;
  document.querySelector("[data-unframed]").hidden = true;
  button.addEventListener("click", () => {
    // A school's page may be at any of its platform's addresses; a message to another origin is not delivered.
    for (const origin of button.dataset.close.split(" ")) {
      platform.postMessage({ subject: "org.imsglobal.lti.close" }, origin);
    }
  });
}
