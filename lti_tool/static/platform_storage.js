// Data that the platform keeps for us in one of its frames: LTI client side postMessages 1.0, section 3.
// Messages go to the platform's own origin only, and an answer counts only from that frame, of that origin.

const CAPABILITIES_MS = 1000;
const DATA_MS = 2000;

/** The frame that the platform named: the window around this one, or a frame beside it. */
function frameNamed(name) {
  const around = window.parent === window ? window.opener : window.parent;
  if (!around || name === "_parent") return around;
  try {
    const frame = around.frames[name];
    return typeof frame?.postMessage === "function" ? frame : null;
  } catch {
    return null;
  }
}

export class PlatformStorage {
  /** `target` is the platform's `lti_storage_target`, `origin` that of its login address. */
  constructor({ storageTarget, storageOrigin }) {
    this.frame = frameNamed(storageTarget);
    this.origin = storageOrigin;
  }

  /** Whether the value is stored. A platform that does not say what it can do may still do it. */
  async put(key, value) {
    const able = await this.ask({ subject: "lti.capabilities" }, CAPABILITIES_MS);
    const subjects = able?.supported_messages?.map?.((message) => message?.subject);
    if (subjects && !subjects.includes("lti.put_data")) return false;
    const reply = await this.ask({ subject: "lti.put_data", key, value }, DATA_MS);
    return reply?.value === value;
  }

  /** The value, `null` if there is none or nobody answers. */
  async get(key) {
    const reply = await this.ask({ subject: "lti.get_data", key }, DATA_MS);
    return typeof reply?.value === "string" ? reply.value : null;
  }

  /** Forget the value; nobody waits for it. */
  drop(key) {
    void this.ask({ subject: "lti.put_data", key, value: null }, 0);
  }

  /** The platform's answer; `null` for an error or for none within the time. */
  ask(message, milliseconds) {
    const { frame, origin } = this;
    if (!frame || !origin) return Promise.resolve(null);
    const messageId = crypto.randomUUID();
    return new Promise((resolve) => {
      const finish = (reply) => {
        clearTimeout(timer);
        window.removeEventListener("message", listen);
        resolve(reply);
      };
      const listen = ({ source, origin: sender, data }) => {
        if (source !== frame || sender !== origin || data?.message_id !== messageId) return;
        if (data.subject === `${message.subject}.response`) finish(data.error ? null : data);
      };
      const timer = setTimeout(finish, milliseconds, null);
      window.addEventListener("message", listen);
      frame.postMessage({ ...message, message_id: messageId }, origin);
    });
  }
}
