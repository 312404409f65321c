#!/usr/bin/env bash
# The browser tests need a Chromium. As root on a Debian it is installed; otherwise this says how to get it.
set -eu
for name in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "  installing Chromium for the browser tests"
    log=$(mktemp)
    if apt-get update -qq >"$log" 2>&1 && apt-get install -y -qq chromium fonts-nanum >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 15 "$log" >&2
fi
echo "The browser tests need Chromium: run 'sudo apt-get install chromium', or set CHROMIUM to the path of a Chromium or Chrome." >&2
exit 1
