// The console's page: puts its parts together.

import { getJson } from "./api.js";
import { declaredFeed } from "./declared_feed.js";
import { byId } from "./dom.js";
import { AnswerView } from "./answer.js";
import { EventList } from "./events.js";
import { Faults } from "./faults.js";
import { publish } from "./publish.js";
import { RequestForm } from "./request_form.js";
import { RequestList } from "./request_list.js";
import { sentimentFeed } from "./sentiment.js";
import { Stream } from "./stream.js";
import { Tabs } from "./tabs.js";
import { TraceList } from "./trace_list.js";
import { TraceView } from "./trace_view.js";

const SECOND_MS = 1000;
const REFRESH_MS = 3000;

const tabs = new Tabs(byId("tabs"));
const answerView = new AnswerView(byId("answer"), { showMoment });
const requests = new RequestList(byId("request-list"), showRequest);
const view = new TraceView(byId("trace"), {
  show, search: (annotation) => list.search(annotation), requestOf, showRequest,
});
const list = new TraceList(byId("trace-list"), view, { show, requestOf });
let form = null; // once it is known what it offers

function requestOf(traceId) {
  return requests.ofTrace(traceId);
}

function show(traceId) {
  const hash = `#trace=${traceId}`;
  if (location.hash === hash) followHash();
  else location.hash = hash;
}

// What an event or a chunk belongs to.
function showMoment(moment) {
  view.seek(moment);
  show(moment.traceId);
}

function showRequest(number) {
  const answer = form?.answerTo(number);
  const request = requests.numbered(number);
  if (!answer && !request) return;
  tabs.choose(byId("request-tab"));
  requests.select(number);
  if (answer) answerView.show(answer);
  else answerView.showListed(request);
  byId("answer").scrollIntoView({ block: "nearest" });
}

async function refreshRequests() {
  await requests.refresh();
  const shown = answerView.listed && requests.numbered(answerView.listed.number);
  if (shown) answerView.showListed(shown);
}

function startForm(choices) {
  form = new RequestForm(byId("request"), choices, {
    onAnswer(answer) {
      requests.select(null);
      answerView.show(answer);
    },
    onLine(answer) {
      if (answerView.answer !== answer) return;
      answerView.refresh();
      if (answer.request && requests.chosen !== answer.request.number) requests.select(answer.request.number);
    },
  });
}

async function followHash() {
  const found = /^#trace=([0-9a-fA-F-]+)$/.exec(location.hash);
  if (!found) return;
  if (found[1] !== view.traceId) view.select(found[1]);
  // The list first: it stands above the trace and would push it out of sight.
  await list.refresh();
  if (view.trace === null) await view.load();
  view.reveal();
  view.followMoment({ movesFocus: true });
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

function nameApp(app) {
  document.title = `${app} console`;
  document.querySelector("h1").textContent = app;
}

// Only a feed has filters and items.
function hideFeed() {
  for (const part of ["stream-tab", "kill", "state"]) byId(part).hidden = true;
  document.querySelector('nav [href="#stream-panel"]').hidden = true;
  tabs.choose(byId("request-tab"));
}

async function begin() {
  let feed = sentimentFeed;
  byId("publish").addEventListener("submit", (event) => { event.preventDefault(); publish(event, feed); });
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); list.search(byId("annotation").value); });
  byId("annotation").addEventListener("search", () => list.search(byId("annotation").value));
  const info = await getJson("/api/info");
  byId("function-url").textContent = info.function_url;
  if (info.app) nameApp(info.app);
  if (info.feed) feed = declaredFeed(info.feed, { exampleCaller: info.example_caller, region: info.region });
  else if (info.app) hideFeed();
  byId("nothing-chosen").textContent = feed.nothingChosen;
  startForm(info.form);
  const filter = byId("filter");
  const events = new EventList(byId("events"), feed);
  const stream = new Stream(info.function_url, info.heartbeat_seconds, filter, events, feed);
  const faults = new Faults();
  filter.addEventListener("submit", (event) => { event.preventDefault(); stream.toggle(); });
  filter.addEventListener("input", () => stream.judge());
  filter.addEventListener("change", () => stream.filtered());
  byId("close").addEventListener("click", () => stream.closeOnServer());
  byId("kill").addEventListener("click", () => stream.kill());
  addEventListener("click", followLink);
  document.querySelector("nav.switch").addEventListener("click", (event) => tabs.chooseFor(event.target.hash?.slice(1)));
  addEventListener("hashchange", followHash);
  addEventListener("pagehide", () => stream.abandon());
  matchMedia("(max-width: 899px)").addEventListener("change", () => view.trace && view.draw());

  stream.filtered(); // enables Connect, which would submit the form while nobody listens
  await faults.refresh();
  await requests.refresh();
  await view.load();
  await followHash();
  await list.refresh();
  every(SECOND_MS, () => { stream.look(); view.tick(); refreshRequests(); });
  every(REFRESH_MS, () => { list.refresh(); faults.refresh(); });
}

begin();
