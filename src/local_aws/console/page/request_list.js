// The latest requests to every front door, newest first.

import { getJson } from "./api.js";
import { element } from "./dom.js";
import { bytes, clock, seconds } from "./format.js";
import { statusMark } from "./trace_list.js";

const SHOWN = 50;
const DOORS = {
  function_url: "URL", rest_api: "REST API", invoke_api: "Invoke API",
  http_api: "HTTP API", alb: "ALB", alb_multi_value: "ALB, multi-value",
};

export class RequestList {
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    this.requests = [];
    this.chosen = null; // the number of the request that is shown below
    this.shown = "";
    root.addEventListener("keydown", (event) => this.key(event));
  }

  async refresh() {
    try {
      ({ requests: this.requests } = await getJson(`/api/requests?limit=${SHOWN}`));
      this.draw();
    } catch {
      // The trace list says that the local stack does not answer.
    }
  }

  select(number) {
    this.chosen = number;
    this.draw();
  }

  numbered(number) {
    return this.requests.find((request) => request.number === number);
  }

  // The request of a trace; a client's own trace may have several, the latest counts.
  ofTrace(traceId) {
    return this.requests.find((request) => request.trace_id === traceId);
  }

  draw() {
    const signature = JSON.stringify([this.requests, this.chosen]);
    if (signature === this.shown) return;
    this.shown = signature;
    const { root } = this;
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset : {};
    if (this.requests.length === 0) {
      root.replaceChildren(element("li", { class: "empty", text: "No request yet: send one above, or with any client." }));
      return;
    }
    root.replaceChildren(...this.requests.map((request) => this.line(request)));
    for (const [name, value] of Object.entries(focused)) {
      root.querySelector(`[data-${name}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
    }
  }

  line(request) {
    const facts = [DOORS[request.door], ...howAnswered(request), clock(request.received_at)];
    const title = `${request.method} ${request.path}`;
    return element("li", { "aria-current": String(request.number === this.chosen) },
      element("button", { type: "button", "data-request": request.number, title, onclick: () => this.choose(request.number) },
        element("span", { class: "what", text: title }),
        request.status === null ? element("span", { class: "quiet", text: "…" }) : statusMark(request.status),
        element("span", { class: "facts-line", text: facts.join(" · ") })),
      request.is_sampled
        ? element("a", { href: `#trace=${request.trace_id}`, "data-link": request.number, "aria-label": `Trace of ${title}`, text: "trace" })
        : element("span", { class: "quiet", text: "no trace", title: whyNoTrace(request) }));
  }

  key(event) {
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const buttons = [...this.root.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement?.closest("li")?.querySelector("button"));
    const next = buttons[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  }
}

export const whyNoTrace = (request) => (
  request.trace_id === null ? "the door answered itself: the function was not invoked" : "it was not sampled");

export const doorLabel = (request) => DOORS[request.door] ?? request.door;

export function howAnswered(request) {
  if (request.status === null) return [request.took_ms === null ? "waiting" : "no answer"];
  const size = `${request.is_streamed ? "streamed" : "buffered"} ${bytes(request.bytes)}`;
  if (request.took_ms === null) return ["open", `${size} so far`];
  return [`${request.is_whole ? "" : "broken off after "}${seconds(request.took_ms / 1000)}`, size];
}
