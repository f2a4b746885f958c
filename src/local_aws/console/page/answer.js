// One answer: its head, then its chunks or events as they arrive.

import { element, setText } from "./dom.js";
import { bytes, milliseconds, short } from "./format.js";
import { doorLabel, howAnswered, whyNoTrace } from "./request_list.js";

const KEPT_LINES = 500;
const AT_THE_END_PX = 24;

// What came of a request that this page has sent. Not drawn by itself.
export class Answer {
  constructor(given, doorName) {
    this.title = `${given.method} ${given.path}`;
    this.door = doorName;
    this.head = null;
    this.request = null;
    this.state = "waiting"; // for the head; then receiving, whole, cancelled or broken
    this.lines = [];
    this.count = { chunk: 0, event: 0, comment: 0, bytes: 0, dropped: 0 };
    this.abort = new AbortController();
    this.why = "";
    this.lastMs = 0;
  }

  get isOpen() {
    return this.state === "waiting" || this.state === "receiving";
  }

  add(line) {
    this.lastMs = line.at_ms;
    if (line.kind === "head") {
      this.head = line;
      this.request = line.request;
      this.state = "receiving";
    } else if (line.kind === "end") {
      this.state = "whole";
      if (line.has_unfinished_event) this.why = "it ended inside an event, which browsers drop";
    } else if (line.kind === "broken") {
      this.state = "broken";
      this.why = line.message;
    } else {
      if (line.kind === "event") line.ordinal = this.count.event;
      this.count[line.kind] += 1;
      if (line.kind === "chunk") this.count.bytes += line.size;
      // Of an event stream the events are shown, not what they came in.
      if (line.kind !== "chunk" || !this.head.has_events) this.lines.push(line);
      if (this.lines.length > KEPT_LINES) { this.lines.shift(); this.count.dropped += 1; }
    }
  }
}

const STATES = { waiting: "waiting for the head", receiving: "receiving", whole: "whole", cancelled: "cancelled", broken: "broken off" };

export class AnswerView {
  constructor(root, { showMoment }) {
    this.root = root;
    this.showMoment = showMoment;
    this.answer = null;
    this.listed = null; // the request that is shown instead, as the list has it
    this.drawn = 0;
  }

  // An answer that is here, with all of it.
  show(answer) {
    this.answer = answer;
    this.listed = null;
    this.drawn = answer.count.dropped;
    this.state = element("span", { role: "status" });
    this.facts = element("span", {});
    this.trace = element("p", { class: "answer-trace" });
    this.headers = element("details", { class: "answer-headers", hidden: true });
    this.list = element("ol", { class: "pieces", tabindex: "0", "aria-label": `Answer of ${answer.title}, oldest first` });
    this.cancel = element("button", { type: "button", text: "Cancel", id: "cancel", onclick: () => answer.abort.abort() });
    this.root.hidden = false;
    this.root.replaceChildren(
      element("div", { class: "answer-head" }, element("h3", { text: answer.title, title: answer.title }), this.cancel),
      element("p", { class: "answer-facts" }, this.state, this.facts), this.trace, this.headers, this.list);
    this.refresh();
  }

  // One that was sent elsewhere: nothing of it is kept but what the list has.
  showListed(request) {
    if (JSON.stringify(request) === JSON.stringify(this.listed)) return;
    this.answer = null;
    this.listed = request;
    const title = `${request.method} ${request.path}`;
    const facts = [request.status === null ? "" : `${request.status}`, doorLabel(request), ...howAnswered(request)];
    if (request.head_ms !== null) facts.push(`head after ${milliseconds(request.head_ms)}`);
    this.root.hidden = false;
    this.root.replaceChildren(
      element("div", { class: "answer-head" }, element("h3", { text: title, title })),
      element("p", { class: "answer-facts", text: facts.filter(Boolean).join(" · ") }),
      element("p", { class: "answer-trace" }, traceLink(request)),
      element("p", { class: "quiet", text: "It was not sent from this page, which keeps neither its query nor headers nor bodies." }));
  }

  refresh() {
    const { answer } = this;
    if (!answer) return;
    setText(this.state, STATES[answer.state]);
    this.state.dataset.state = answer.state;
    setText(this.facts, answerFacts(answer).join(""));
    this.cancel.hidden = !answer.isOpen;
    if (answer.head && this.headers.hidden) this.drawHead();
    this.drawLines();
  }

  drawHead() {
    const { head, request } = this.answer;
    this.headers.hidden = false;
    this.headers.replaceChildren(
      element("summary", { text: `${head.headers.length} headers` }),
      element("table", {}, element("tbody", {}, ...head.headers.map(([name, value]) => element("tr", {},
        element("th", { scope: "row", text: name }), element("td", { text: value }))))));
    if (request) this.trace.replaceChildren(traceLink(request));
  }

  // Whoever has scrolled up to read keeps their place; else the newest stays in sight.
  drawLines() {
    const { list, answer } = this;
    const total = answer.count.dropped + answer.lines.length;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < AT_THE_END_PX;
    const fresh = answer.lines.slice(Math.max(0, this.drawn - answer.count.dropped));
    list.append(...fresh.map((line) => this.piece(line)));
    this.drawn = total;
    while (list.childElementCount > KEPT_LINES) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  piece(line) {
    const name = line.kind === "event" ? line.event ?? "message" : line.kind;
    const traceId = this.answer.request?.is_sampled ? this.answer.request.trace_id : null;
    const at = `+${milliseconds(line.at_ms)}`;
    const more = [
      line.id !== undefined && line.id !== null && `id ${short(line.id)}`, line.retry && `retry ${line.retry}`,
      line.size !== undefined && bytes(line.size),
    ].filter(Boolean).join(" · ");
    return element("li", { class: "piece", "data-kind": line.kind },
      traceId
        ? element("button", { type: "button", class: "plain at", text: at, "aria-label": `${at}: show the span of this ${line.kind}`,
          title: `Show the span of this ${line.kind}`,
          onclick: () => this.showMoment({ traceId, at: line.at, ordinal: line.ordinal, event: line.event, name: `${name} at ${at}` }) })
        : element("span", { class: "at", text: at }),
      element("b", { text: name }), element("span", { class: "quiet", text: more, title: line.id }), content(line));
  }
}

function content(line) {
  if (line.kind === "event" && line.text === null) return element("p", { class: "quiet", text: "no data: browsers fire no event for it" });
  const text = line.hex ?? line.text;
  if (!text) return line.is_cut ? element("p", { class: "quiet", text: "not shown: the answer is long" }) : null;
  return element("pre", { text: line.is_cut ? `${text} …` : text, title: line.is_cut ? "cut" : undefined });
}

function answerFacts({ head, count, door, lastMs, state, why }) {
  const facts = [` · ${door}`];
  if (head) {
    facts.unshift(` · ${head.status}`);
    facts.push(` · head after ${milliseconds(head.at_ms)}`);
    const events = head.has_events ? `${count.event} events, ${count.comment} comments in ` : "";
    facts.push(` · ${events}${count.chunk} chunks, ${bytes(count.bytes)}`);
  }
  if (state !== "waiting" && state !== "receiving") facts.push(` · ${milliseconds(lastMs)}`);
  if (count.dropped) facts.push(` · ${count.dropped} earlier ones are not shown`);
  if (why) facts.push(` · ${why}`);
  return facts;
}

function traceLink(request) {
  if (!request.is_sampled) return element("span", { class: "quiet", text: `No trace: ${whyNoTrace(request)}.` });
  return element("a", { href: `#trace=${request.trace_id}`, text: "Show its trace", title: request.trace_id });
}
