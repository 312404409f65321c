// The launch's token, in pages of browsers that keep no cookie in a frame (launch_pages.js): scripts send it as a header.

const token = document.querySelector("meta[name=launch-token]")?.content;

/** Headers of a request to our own server, with the token where the session needs it. */
export function authorized(headers) {
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}
