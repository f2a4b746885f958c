// The console's page: puts its parts together.

import { getJson } from "./api.js";
import { byId } from "./dom.js";
import { EventList } from "./events.js";
import { Faults } from "./faults.js";
import { publish } from "./publish.js";
import { Stream } from "./stream.js";
import { TraceList } from "./trace_list.js";
import { TraceView } from "./trace_view.js";

const SECOND_MS = 1000;
const REFRESH_MS = 3000;

const view = new TraceView(byId("trace"), { show, search: (annotation) => list.search(annotation) });
const list = new TraceList(byId("trace-list"), view, show);

function show(traceId) {
  const hash = `#trace=${traceId}`;
  if (location.hash === hash) followHash();
  else location.hash = hash;
}

async function followHash() {
  const found = /^#trace=([0-9a-fA-F-]+)$/.exec(location.hash);
  if (!found) return;
  if (found[1] !== view.traceId) view.select(found[1]);
  // The list first: it stands above the trace and would push it out of sight.
  await list.refresh();
  if (view.trace === null) await view.load();
  view.reveal();
}

// A link to the trace that is shown already changes no hash; it still has to lead there.
function followLink(event) {
  const link = event.target.closest('a[href^="#trace="]');
  if (link && link.hash === location.hash) {
    event.preventDefault();
    followHash();
  }
}

function every(milliseconds, work) {
  setInterval(() => { if (!document.hidden) work(); }, milliseconds);
}

// Only the service's stream has filters and items; an app's own requests are made elsewhere.
function showApp(app) {
  document.title = `${app} console`;
  document.querySelector("h1").textContent = app;
  for (const part of ["filter", "events", "connection"]) byId(part).hidden = true;
  for (const part of [byId("publish").closest("details"), byId("kill"), byId("state")]) part.hidden = true;
  byId("stream-title").textContent = "Your app";
}

async function begin() {
  byId("publish").addEventListener("submit", publish);
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); list.search(byId("annotation").value); });
  byId("annotation").addEventListener("search", () => list.search(byId("annotation").value));
  const info = await getJson("/api/info");
  byId("function-url").textContent = info.function_url;
  if (info.app) showApp(info.app);
  const filter = byId("filter");
  const events = new EventList(byId("events"));
  const stream = new Stream(info.function_url, info.heartbeat_seconds, filter, events);
  const faults = new Faults();
  filter.addEventListener("submit", (event) => { event.preventDefault(); stream.toggle(); });
  filter.addEventListener("change", () => stream.filtered());
  byId("close").addEventListener("click", () => stream.closeOnServer());
  byId("kill").addEventListener("click", () => stream.kill());
  addEventListener("click", followLink);
  addEventListener("hashchange", followHash);
  addEventListener("pagehide", () => stream.abandon());
  matchMedia("(max-width: 899px)").addEventListener("change", () => view.trace && view.draw());

  stream.filtered(); // enables Connect, which would submit the form while nobody listens
  await faults.refresh();
  await view.load();
  await followHash();
  await list.refresh();
  every(SECOND_MS, () => { stream.look(); view.tick(); });
  every(REFRESH_MS, () => { list.refresh(); faults.refresh(); });
}

begin();
