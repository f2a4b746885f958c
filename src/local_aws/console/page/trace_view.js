// One trace: what it is, what X-Ray would do with it, and its waterfall.

import { getJson } from "./api.js";
import { element, setText } from "./dom.js";
import { bytes, clock, seconds, short } from "./format.js";
import { DISPATCH, spanAt } from "./moment.js";
import { titleOf } from "./spans.js";
import { statusMark } from "./trace_list.js";
import { Waterfall } from "./waterfall.js";

// Of the page's head, which stays on top of a narrow page.
const COVERED_PX = 48;

export class TraceView {
  // `requestOf` gives the request of a trace where it is known, `showRequest` leads to it.
  constructor(root, { show, search, requestOf, showRequest }) {
    this.root = root;
    this.show = show;
    this.search = search;
    this.requestOf = requestOf;
    this.showRequest = showRequest;
    this.moment = null; // of an event whose span is sought
    this.traceId = null;
    this.trace = null;
    this.waterfall = null;
    this.signature = "";
  }

  // The list's next `refresh` brings it, or `load`.
  select(traceId) {
    if (this.moment?.traceId !== traceId) this.moment = null;
    this.traceId = traceId;
    this.trace = null;
    this.waterfall = new Waterfall();
    this.signature = "";
  }

  // The moment's span is shown as soon as the trace has it: with the trace, or with a later reading.
  seek(moment) {
    this.moment = { ...moment, isFound: false };
  }

  // A span that comes later leaves the focus where it is by then.
  followMoment({ movesFocus = false } = {}) {
    const { moment, trace } = this;
    if (moment === null || trace === null) return;
    this.waterfall.mark(moment.at - trace.layout.start);
    if (!moment.isFound) {
      const span = spanAt(trace, moment);
      // A shorter one may come with the stream's end.
      moment.isFound = !trace.in_progress || span?.name === DISPATCH;
      if (moment.isFound && span) this.waterfall.revealRecord(span.id, { movesFocus });
      moment.text = momentText(moment, span, trace);
    }
    setText(this.momentNote, moment.text);
    this.momentNote.hidden = false;
  }

  // Called with the list whenever it was read. The trace is read again when its own line or the
  // neighbours that it links to have changed.
  async changed(traces) {
    const own = traces.find((trace) => trace.trace_id === this.traceId);
    const session = own?.session_id ?? null;
    const neighbours = traces.filter((trace) => session !== null && trace.session_id === session);
    const signature = JSON.stringify([own, neighbours.map((trace) => trace.trace_id)]);
    if (this.traceId && signature !== this.signature) {
      this.signature = signature;
      await this.load();
    }
  }

  async load() {
    const wanted = this.traceId;
    if (!wanted) {
      this.hint("Choose a trace to see both phases on one time axis.");
      return;
    }
    try {
      const trace = await getJson(`/api/traces/${encodeURIComponent(wanted)}`);
      if (wanted !== this.traceId) return;
      this.trace = trace;
      this.draw();
    } catch (error) {
      if (wanted !== this.traceId) return;
      this.trace = null;
      this.hint(error.status === 404
        ? "This trace is not here yet. A stream's spans arrive soon after it began and when it ends; "
          + "an unsampled stream sends none."
        : error.message);
    }
  }

  hint(text) {
    this.root.replaceChildren(element("p", { class: "hint", text }));
  }

  draw() {
    this.momentNote ??= element("p", { class: "moment-note", role: "status", hidden: true });
    this.momentNote.hidden = this.moment === null;
    const about = element("div", { class: "about" }, this.head(), this.facts(), this.verdicts(), this.momentNote);
    if (this.waterfall.root.parentElement === this.root) this.root.firstElementChild.replaceWith(about);
    else this.root.replaceChildren(about, this.waterfall.root);
    this.waterfall.show(this.trace);
    this.tick();
    this.followMoment();
  }

  // On a narrow page the trace stands below the stream and the list, out of sight.
  reveal() {
    const { top } = this.root.getBoundingClientRect();
    if (top < COVERED_PX || top > innerHeight / 2) this.root.scrollIntoView({ block: "start" });
  }

  // While the trace is in progress its time goes on.
  tick() {
    if (!this.trace?.in_progress) return;
    this.waterfall.tick();
    setText(this.took, `${seconds(this.waterfall.reached)} so far`);
  }

  head() {
    const { trace } = this;
    const link = (label, target) => element("button", {
      type: "button", disabled: !target?.held, text: label,
      title: target?.held ? target.trace_id : "no such connection is held here",
      onclick: () => this.show(target.trace_id),
    });
    const nav = element("nav", { "aria-label": "Connections of this session" },
      link("‹ Previous", trace.links.previous), link("Next ›", trace.links.next));
    return element("div", { class: "trace-head" },
      element("div", {},
        element("h3", { text: titleOf(trace, this.requestOf(trace.trace_id)) }),
        element("p", { class: "id mono", text: trace.trace_id })),
      trace.session_id === null ? null : nav);
  }

  facts() {
    const { trace } = this;
    const fact = (name, value) => element("div", {}, element("dt", { text: name }), element("dd", {}, value));
    const took = fact("took", seconds(trace.duration));
    this.took = took.lastElementChild;
    const facts = [fact("began", clock(trace.start)), took];
    const request = this.requestOf(trace.trace_id);
    if (request) {
      facts.push(fact("request", element("button", {
        type: "button", class: "plain", "data-request-link": request.number, text: `${request.method} ${short(request.path)}`,
        title: "Show the request", onclick: () => this.showRequest(request.number),
      })));
    }
    if (trace.status !== null) facts.push(fact("status", statusMark(trace.status)));
    if (trace.end_reason !== null) facts.push(fact("ended by", trace.end_reason));
    if (trace.is_cold_start !== null) facts.push(fact("cold start", trace.is_cold_start ? "yes" : "no"));
    if (trace.session_id !== null) {
      facts.push(fact("session", element("button", {
        type: "button", class: "plain", title: `All traces with session_id=${trace.session_id}`,
        text: `${short(trace.session_id)} #${trace.connection_sequence}`,
        onclick: () => this.search(`session_id=${trace.session_id}`),
      })));
    }
    if (trace.connection_id !== null) facts.push(fact("connection", short(trace.connection_id)));
    return element("dl", { class: "facts" }, ...facts);
  }

  verdicts() {
    const { verdicts, size } = this.trace;
    const budget = `${bytes(size.bytes)} in ${size.documents} documents, of ${bytes(size.budget_bytes)}`;
    const title = element("summary", {});
    if (verdicts.length === 0) {
      title.append(element("span", { class: "ok", text: "X-Ray takes all of it" }));
    } else {
      const count = (severity) => verdicts.filter((verdict) => verdict.severity === severity).length;
      const parts = ["lost", "altered", "misleading"].filter(count).map((s) => `${count(s)} ${s}`);
      if (count("note")) parts.push(`${count("note")} ${count("note") === 1 ? "note" : "notes"}`);
      const colour = count("lost") ? "fault" : count("altered") + count("misleading") ? "error" : "quiet";
      const missing = verdicts.find((verdict) => verdict.rule === "missing_phase");
      const what = missing?.what ?? `What X-Ray would do: ${parts.join(", ")}`;
      title.append(element("span", { class: `flag ${colour}`, text: what }));
    }
    title.append(element("span", { class: "quiet", text: ` · ${budget}` }));
    const list = verdicts.map((verdict) => element("li", {},
      element("span", { class: "severity", "data-severity": verdict.severity, text: verdict.severity }),
      element("div", {},
        element("p", { text: verdict.span_name ? `${verdict.span_name}: ${verdict.what}` : verdict.what }),
        element("p", { class: "why" }, `${verdict.why}. `,
          element("a", { href: verdict.source, target: "_blank", rel: "noreferrer", text: "Source" })))));
    const thresholds = element("li", {},
      element("span", { class: "severity", "data-severity": "note", text: "size" }),
      element("p", { class: "why", text: `X-Ray takes about ${bytes(size.budget_bulk_bytes)} of a trace that arrives in bulk and `
        + `${bytes(size.budget_trickled_bytes)} of one that trickles; this one arrived over ${seconds(size.arrived_over_seconds)}.` }));
    return element("details", { class: "verdicts", open: this.verdictsOpen, ontoggle: (event) => { this.verdictsOpen = event.target.open; } },
      title, element("ul", {}, ...list, thresholds));
  }
}

function momentText(moment, span, trace) {
  if (!moment.isFound) return `${moment.name}: its span is not here yet; it comes when the stream has ended.`;
  if (span?.source === "otel") return `${moment.name}: ${span.name}`;
  if (trace.has_streaming_phase) return `${moment.name}: no span of the streaming phase holds it.`;
  return `${moment.name}: the app recorded no spans of its streaming phase (it runs without tracing, or they were lost).`
    + (span ? ` Shown is ${span.origin ?? span.name}.` : "");
}
