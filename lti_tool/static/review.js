// The form of a score: what becomes of the machine's explanation follows the points until a person chooses.
// Without this the choice is open, and the server decides by the same rule.

/** Points as people type them, with a decimal comma too; `null` for what is no number. */
function pointsIn(field) {
  const typed = field.value.trim().replace(",", ".");
  return typed && Number.isFinite(Number(typed)) ? Number(typed) : null;
}

function followPoints(choice) {
  const { elements } = choice.closest("form");
  const text = choice.closest("form").querySelector("[data-comment-text]");
  const before = Number(choice.dataset.points);
  const quarter = Number(choice.dataset.maxPoints) / 4;

  function byRule() {
    const points = pointsIn(elements.points);
    return points !== null && Math.abs(points - before) > quarter ? "leave_out" : "keep";
  }

  function choose(value) {
    elements.comment.value = value;
    text.hidden = value !== "edit";
  }

  if (elements.explanation.getAttribute("aria-invalid")) choose("edit");
  let isChosen = elements.comment.value !== "" && elements.comment.value !== byRule();
  choose(elements.comment.value || byRule());
  elements.points.addEventListener("input", () => isChosen || choose(byRule()));
  choice.addEventListener("change", () => {
    isChosen = true;
    choose(elements.comment.value);
  });
}

for (const choice of document.querySelectorAll("[data-comment-choice]")) followPoints(choice);
