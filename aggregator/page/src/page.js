// Live updates, "select all", and the filter of a report. Every page can be read without it.
"use strict";

const content = () => document.getElementById("content");

// A page that is being edited is not replaced under its reader.
const edited = () => {
  const fields = content().querySelectorAll("form[method=post] input:not([type=hidden])");
  return [...fields].some((field) => (field.type === "checkbox" ? field.checked : field.value !== ""))
    || content().contains(document.activeElement) && document.activeElement !== content();
};

let newest = null;
let shown = null;
let loading = false;

async function refresh() {
  if (loading || newest === shown || document.hidden || edited()) return;
  loading = true;
  const wanted = newest;
  try {
    const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, credentials: "same-origin" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("content");
      if (next && !edited()) {
        const open = [...content().querySelectorAll("details")].map((part) => part.open);
        content().replaceChildren(...next.childNodes);
        content().querySelectorAll("details").forEach((part, n) => { part.open = open[n] ?? part.open; });
        const waiting = page.querySelector("nav .badge");
        const badge = document.querySelector("nav .badge");
        if (waiting && badge) badge.textContent = waiting.textContent;
      }
      shown = wanted;
    }
  } catch {
    // The server is away; the stream comes back by itself.
  }
  loading = false;
}

if (content()?.hasAttribute("data-live")) {
  const events = new EventSource("/ui/events");
  events.addEventListener("change", (event) => {
    if (shown === null) shown = event.data;
    newest = event.data;
    refresh();
  });
  setInterval(refresh, 1000);
  addEventListener("pagehide", () => events.close());
}

addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.form.querySelectorAll("input[name=what]")) box.checked = event.target.checked;
});

addEventListener("input", (event) => {
  if (!event.target.matches("[data-filter]")) return;
  const wanted = event.target.value.toLowerCase();
  for (const row of document.querySelectorAll("tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
