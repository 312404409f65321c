// Between our login and the platform's: where cookies do not stick in this frame, the platform keeps our secret.

import { PlatformStorage } from "./platform_storage.js";

const { next, probe, storageKey, secret, ...storage } = document.getElementById("login").dataset;

/** The server has just set a cookie like the one of the login. */
function cookiesStick() {
  try {
    return document.cookie.split("; ").includes(probe);
  } catch {
    return false;
  }
}

if (!cookiesStick()) await new PlatformStorage(storage).put(storageKey, secret);
location.replace(next);
