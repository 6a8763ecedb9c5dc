// The sliders: ask what would change sides when one moves. Everything from the server is set as text, never as markup.
"use strict";

const form = document.getElementById("sliders");
let waiting = null;
let asked = 0;

function counted(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

function words(move) {
  return `${counted(move.documents, "document")}, ${counted(move.tokens, "token")}`;
}

function showExamples(list, examples) {
  list.replaceChildren(...examples.map((example) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const name = document.createElement("bdi");
    link.href = form.dataset.document + encodeURIComponent(example.id);
    name.textContent = example.address;
    link.append(name);
    item.append(link);
    if (example.text) {
      const text = document.createElement("small");
      text.className = "soft";
      text.textContent = example.text;
      item.append(document.createElement("br"), text);
    }
    return item;
  }));
}

async function ask() {
  const number = ++asked;
  const values = new URLSearchParams({ subset: form.elements.subset.value, language: form.elements.language.value });
  for (const input of form.querySelectorAll("input[name][data-own]")) {
    if (input.value !== "" && Number(input.value) !== Number(input.dataset.own)) values.set(input.name, input.value);
  }
  const answer = await fetch(`${form.dataset.moved}?${values}`);
  const move = await answer.json();
  if (number !== asked) return; // a later question is on its way
  const fault = document.getElementById("fault");
  fault.hidden = answer.ok;
  fault.textContent = move.error || "";
  if (!answer.ok) return;
  for (const side of ["before", "after", "gained", "lost"]) document.getElementById(side).textContent = words(move[side]);
  for (const side of ["gained", "lost"]) {
    showExamples(document.getElementById(`${side}-examples`), move[side].examples || []);
  }
  const changes = move.changes.map((change) => `--set ${change}`).join("\n");
  document.getElementById("changes").textContent = changes || "No limit is changed.";
}

if (form) {
  form.addEventListener("input", (event) => {
    const other = document.getElementById(event.target.dataset.for);
    if (other) other.value = event.target.value;
    clearTimeout(waiting);
    waiting = setTimeout(ask, 120);
  });
}
