// The list of traces, newest first.

import { getJson } from "./api.js";
import { byId, element } from "./dom.js";
import { clock, seconds, short } from "./format.js";
import { titleOf } from "./spans.js";

export class TraceList {
  // `requestOf` gives the request of a trace where it is known.
  constructor(root, view, { show, requestOf }) {
    this.root = root;
    this.requestOf = requestOf;
    this.view = view;
    this.show = show;
    this.shown = "";
    this.annotation = "";
    root.addEventListener("keydown", (event) => this.key(event));
  }

  // Reads the list, and the chosen trace too where its line has changed.
  async refresh() {
    const query = this.annotation ? `?annotation=${encodeURIComponent(this.annotation)}` : "";
    let traces;
    try {
      ({ traces } = await getJson(`/api/traces${query}`));
      this.problem("");
    } catch (error) {
      this.problem(error.status ? error.message : "the local stack does not answer");
      return;
    }
    const signature = JSON.stringify([traces, traces.map((trace) => this.titleOf(trace)), this.view.traceId]);
    if (signature !== this.shown) {
      this.shown = signature;
      this.draw(traces);
    }
    await this.view.changed(traces);
  }

  titleOf(trace) {
    return titleOf(trace, this.requestOf(trace.trace_id));
  }

  search(annotation) {
    byId("annotation").value = annotation;
    this.annotation = annotation.trim();
    return this.refresh();
  }

  problem(text) {
    byId("search-problem").hidden = !text;
    byId("search-problem").textContent = text;
  }

  draw(traces) {
    const { root } = this;
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.trace : null;
    if (traces.length === 0) {
      const text = this.annotation ? `No trace has ${this.annotation}.` : "No trace yet: open a stream or send a request.";
      root.replaceChildren(element("li", { class: "empty", text }));
      return;
    }
    root.replaceChildren(...traces.map((trace) => element("li", {}, this.line(trace))));
    root.querySelector(`[data-trace="${CSS.escape(focused ?? "")}"]`)?.focus();
    if (this.current !== this.view.traceId) {
      this.current = this.view.traceId;
      this.showCurrent();
    }
  }

  // Within the list alone: the page stays where it is.
  showCurrent() {
    const line = this.root.querySelector('[aria-current="true"]');
    if (!line) return;
    const box = this.root.parentElement;
    const above = line.getBoundingClientRect().top - box.getBoundingClientRect().top;
    if (above < 0 || above + line.offsetHeight > box.clientHeight) box.scrollTop += above;
  }

  line(trace) {
    const flag = trace.has_fault ? ["fault", "✕ fault"] : trace.has_error ? ["error", "! error"] : null;
    const session = trace.session_id === null ? "" : `${short(trace.session_id)} #${trace.connection_sequence}`;
    return element("button", {
      type: "button", "data-trace": trace.trace_id, "aria-current": String(trace.trace_id === this.view.traceId),
      title: trace.trace_id, onclick: () => this.show(trace.trace_id),
    },
      element("span", { class: "when", text: clock(trace.start) }),
      element("span", { class: "what", text: this.titleOf(trace) }),
      element("span", { class: "number", text: trace.in_progress ? "open" : seconds(trace.duration) }),
      element("span", { class: "session quiet", text: session }),
      element("span", { class: "reason", text: trace.end_reason ? `end: ${trace.end_reason}` : "" }),
      element("span", { class: "flags" }, statusMark(trace.status), flag && element("span", { class: `flag ${flag[0]}`, text: flag[1] })));
  }

  key(event) {
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const buttons = [...this.root.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  }
}

// What the client got: 4xx is the client's error, 5xx the function's or Lambda's fault.
export function statusMark(status) {
  if (status === null) return null;
  if (status >= 500) return element("span", { class: "flag fault", text: `✕ ${status}` });
  if (status >= 400) return element("span", { class: "flag error", text: `! ${status}` });
  return element("span", { class: "quiet", text: String(status) });
}
