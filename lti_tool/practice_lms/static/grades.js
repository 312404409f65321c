// Keeps the grades on the page up to date: asks for the table every three seconds and shows what changed.
"use strict";

const live = document.getElementById("live");
const text = document.getElementById("live-text");
const grades = document.getElementById("grades");
const announcement = document.getElementById("announcement");
let shown = null;

function cells() {
  return new Map([...grades.querySelectorAll("[data-key]")].map((cell) => [cell.dataset.key, cell]));
}

function show(html) {
  const before = new Map([...cells()].map(([key, cell]) => [key, cell.textContent]));
  const scroll = grades.querySelector(".scroll")?.scrollLeft ?? 0;
  grades.innerHTML = html;
  if (scroll) grades.querySelector(".scroll").scrollLeft = scroll;
  let changed = 0;
  for (const [key, cell] of cells()) {
    if (before.get(key) === cell.textContent) continue;
    cell.classList.add("changed");
    changed += 1;
  }
  if (changed) announcement.textContent = changed === 1 ? "One grade changed." : `${changed} grades changed.`;
}

async function update() {
  try {
    const response = await fetch(live.dataset.source, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    const html = await response.text();
    if (shown !== null && html !== shown) show(html);
    shown = html;
    live.classList.remove("lost");
    text.textContent = "Updates by itself";
  } catch {
    live.classList.add("lost");
    text.textContent = "Connection lost, trying again";
  }
  setTimeout(update, 3000);
}

// The first answer equals the page unless a grade came in between; then the page is replaced at once.
fetch(live.dataset.source, { cache: "no-store" })
  .then((response) => response.text())
  .then((html) => { show(html); shown = html; for (const cell of cells().values()) cell.classList.remove("changed"); })
  .catch(() => {})
  .finally(() => setTimeout(update, 3000));
