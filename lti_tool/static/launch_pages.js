// Launches in browsers that keep no cookie in a frame: the page holds the launch's token and sends it along.
//
// Forms have it as a field, scripts send it as a header (launch_token.js), and other pages of the launch are opened by
// posting it to their address. The token is never part of an address. Each entry of the tab's history keeps the token
// of its page, which such browsers allow where they allow no storage, so that reload and back find it.
// docs/decisions/0006-launch-without-cookies.md
//
// This runs before the page is shown, so that the first click is already one that takes the token along.
"use strict";

(() => {
  const MARK = ["opened", "form"];
  const token = document.querySelector("meta[name=launch-token]")?.content ?? "";
  const launchPath = location.pathname.match(/^.*\/launches\/[0-9a-f-]{36}\//)?.[0];

  /** Open a page of the launch that `launchToken` is of; `target` as of a form. */
  function openPage(address, launchToken, target = "") {
    const url = new URL(address, location.href);
    url.searchParams.append(...MARK);
    const form = document.createElement("form");
    form.method = "post";
    form.action = url.href;
    form.target = target;
    form.hidden = true;
    const field = document.createElement("input");
    field.name = "launch_token";
    field.value = launchToken;
    form.append(field);
    document.documentElement.append(form);
    form.submit();
    form.remove();
  }

  /** Make this entry of the history a plain address that finds its token again. */
  function remember() {
    const address = new URL(location.href);
    const isOpenedByForm = address.searchParams.get(MARK[0]) === MARK[1];
    // A step to a place on the same page is an entry of its own, still without a token.
    const isStep = token && address.hash && history.state === null;
    if (!isOpenedByForm && !isStep) return;
    address.searchParams.delete(...MARK);
    history.replaceState(token ? { launchToken: token } : null, "", address.href);
  }

  function isOfThisLaunch(url) {
    return url.origin === location.origin && url.pathname.startsWith(launchPath);
  }

  function followLink(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button > 1) return;
    const url = new URL(link.href);
    const isOnThisPage = url.pathname === location.pathname && url.search === location.search;
    if (!isOfThisLaunch(url) || (isOnThisPage && url.hash)) return;
    event.preventDefault();
    const isForNewTab = event.button === 1 || event.ctrlKey || event.metaKey || event.shiftKey;
    openPage(url, token, isForNewTab ? "_blank" : link.target);
  }

  function submitQuery(event) {
    const form = event.target;
    const url = new URL(form.action);
    if (form.method !== "get" || event.defaultPrevented || !isOfThisLaunch(url)) return;
    event.preventDefault();
    url.search = new URLSearchParams(new FormData(form, event.submitter)).toString();
    openPage(url, token);
  }

  window.openLaunchPage = openPage;
  remember();
  if (token && launchPath) {
    document.addEventListener("click", followLink);
    document.addEventListener("auxclick", followLink);
    document.addEventListener("submit", submitQuery);
    window.addEventListener("hashchange", remember);
  } else if (document.querySelector("meta[name=launch-closed]") && history.state?.launchToken) {
    openPage(location.href, history.state.launchToken);
  }
})();
