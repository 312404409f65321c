// Keeps data for the tool in the frame: LTI Client Side postMessages 1.0, with the storage of LTI postMessage Storage 1.0.
// Only the registered origins of the tool are served, each has its own data, and all of it goes with the page.
"use strict";

const MAX_KEY = 500;
const MAX_VALUE = 4096;
const MAX_KEYS = 100;

for (const box of document.querySelectorAll(".frame[data-storage-origins]")) {
  const origins = box.dataset.storageOrigins.split(" ");
  const frame = box.querySelector("iframe");
  const kept = new Map(origins.map((origin) => [origin, new Map()]));
  const isText = (text, length) => typeof text === "string" && text.length > 0 && text.length <= length;

  const answers = {
    "lti.capabilities": () => ({
      supported_messages: Object.keys(answers).map((subject) => ({ subject, frame: "_parent" })),
    }),
    "lti.put_data": ({ key, value }, data) => {
      const isGone = value === null || value === undefined;
      if (!isText(key, MAX_KEY) || !(isGone || isText(value, MAX_VALUE))) {
        return { error: { code: "bad_request", message: "key and value are texts, not too long" } };
      }
      if (isGone) data.delete(key);
      else if (data.size >= MAX_KEYS && !data.has(key)) {
        return { error: { code: "storage_exhausted", message: `${MAX_KEYS} values are kept` } };
      } else data.set(key, value);
      return { key, value: value ?? null };
    },
    "lti.get_data": ({ key }, data) => {
      if (!isText(key, MAX_KEY)) return { error: { code: "bad_request", message: "key is a text, not too long" } };
      return { key, value: data.get(key) ?? null };
    },
  };

  function answer(message, origin) {
    if (!kept.has(origin)) return { error: { code: "wrong_origin", message: "this origin is no tool's" } };
    if (!isText(message.message_id, MAX_KEY)) return { error: { code: "bad_request", message: "no message_id" } };
    if (!Object.hasOwn(answers, message.subject)) {
      return { error: { code: "unsupported_subject", message: "only what lti.capabilities lists" } };
    }
    return answers[message.subject](message, kept.get(origin));
  }

  window.addEventListener("message", ({ source, origin, data }) => {
    const isOurs = typeof data?.subject === "string" && data.subject.startsWith("lti.");
    // lti.frameResize is frame.js's.
    if (source !== frame.contentWindow || !isOurs || data.subject === "lti.frameResize" || origin === "null") return;
    const head = { subject: `${data.subject}.response`, message_id: data.message_id };
    source.postMessage({ ...head, ...answer(data, origin) }, origin);
  });
}
