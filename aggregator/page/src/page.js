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
        // What the last command did stays until the reader moves on.
        const notice = content().querySelector(":scope > .notice");
        content().replaceChildren(...(notice ? [notice] : []), ...next.childNodes);
        content().querySelectorAll("details").forEach((part, n) => { part.open = open[n] ?? part.open; });
        const [links, now] = [document, page].map((one) => one.querySelector(".top nav"));
        if (links && now && !links.contains(document.activeElement)) links.replaceChildren(...now.childNodes);
      }
      shown = wanted;
    }
  } catch {
    // The server is away; the stream comes back by itself.
  }
  loading = false;
  // Something was committed while the page was loaded.
  if (newest !== wanted) refresh();
}

if (content()?.hasAttribute("data-live")) {
  const events = new EventSource("/ui/events");
  // Numbers of another stream mean nothing here: the server may have been started again.
  events.addEventListener("open", () => { shown = null; });
  events.addEventListener("change", (event) => {
    // The first one too: something may have been committed since the page was written.
    newest = event.data;
    refresh();
  });
  // Refused: the session has ended, or too many pages are open. A break of the line comes back by itself.
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED || document.getElementById("stale")) return;
    const stale = document.createElement("p");
    Object.assign(stale, { id: "stale", className: "stop" });
    stale.setAttribute("role", "status");
    stale.append("This page does not update any more. ", Object.assign(document.createElement("a"), { href: location.href, textContent: "Load it again" }));
    content().prepend(stale);
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
