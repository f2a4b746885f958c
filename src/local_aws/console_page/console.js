// The console's page. Everything that came over the wire is put in place by textContent.

const byId = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child instanceof Node || typeof child === "string"));
  return made;
}

function seconds(value) {
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 0.1) return `${(value * 1000).toPrecision(2)} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

const tickLabel = (value) => (value === 0 ? "0" : seconds(value).replace(/\.0+(?= )/, ""));
const clock = (epochSeconds) => new Date(epochSeconds * 1000).toLocaleTimeString([], { hour12: false });
const short = (id) => (String(id).length > 12 ? `${String(id).slice(0, 10)}…` : String(id));
const bytes = (count) => (count < 10_000 ? `${count.toLocaleString("en")} bytes` : `${(count / 1000).toFixed(0)} KB`);

async function getJson(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { status: answer.status });
  return body;
}

// ---------------------------------------------------------------- live stream

const KEPT_EVENTS = 200;
const SLOW_LATENCY_MS = 2500;
const REOPEN_MS = [2000, 5000, 10000, 30000];

class Stream {
  constructor(functionUrl) {
    this.functionUrl = functionUrl;
    this.source = null;
    this.ready = null;
    this.lastId = "";
    this.wasCut = false;
    this.reopened = 0;
    this.timer = null;
  }

  open({ keepPosition = false } = {}) {
    this.abandon();
    this.disconnect();
    if (!keepPosition) this.lastId = "";
    const query = this.query();
    // A source that the browser gave up forgets its last id; the query parameter carries it over.
    if (this.lastId) query.set("last_event_id", this.lastId);
    this.source = new EventSource(`${this.functionUrl}/stream?${query}`);
    this.show("waiting", "connecting");
    byId("connect").textContent = "Disconnect";
    for (const kind of ["ready", "sentiment", "reset", "busy", "end"]) {
      this.source.addEventListener(kind, (event) => {
        this.lastId = event.lastEventId || this.lastId;
        this.handle(kind, JSON.parse(event.data));
      });
    }
    this.source.addEventListener("error", () => this.interrupted());
  }

  query() {
    const form = new FormData(byId("filter"));
    const query = new URLSearchParams();
    const sentiments = form.getAll("sentiment");
    if (sentiments.length && sentiments.length < 3) query.set("sentiment", sentiments.join(","));
    const tickers = form.get("ticker").split(/[\s,]+/).filter(Boolean).join(",");
    if (tickers) query.set("ticker", tickers);
    if (Number(form.get("backfill")) > 0) query.set("backfill", form.get("backfill"));
    return query;
  }

  disconnect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    byId("connect").textContent = "Connect";
    byId("close").disabled = true;
  }

  handle(kind, data) {
    if (kind === "sentiment") {
      addEvent(itemEntry(data));
      return;
    }
    if (kind === "ready") {
      this.ready = data;
      this.reopened = 0;
      this.wasCut = false;
      this.show("live", "live");
      showConnection(data);
      const what = data.resumed ? "resumed where the last one ended" : "a new stream";
      addEvent(noteEntry("ready", `connection ${data.sequence ?? ""}, ${what}`));
    } else if (kind === "reset") {
      addEvent(noteEntry("reset", `position not honoured: ${data.reason}`));
    } else if (kind === "busy") {
      this.wasCut = true;
      addEvent(noteEntry("busy", `${data.reason}; again in ${seconds(data.retry_ms / 1000)}`));
      this.show("waiting", "busy, waiting to retry");
    } else if (kind === "end") {
      this.wasCut = true;
      byId("close").disabled = true;
      if (data.reason === "cancelled") {
        addEvent(noteEntry("end", "closed on the server"));
        this.disconnect();
        this.show("idle", "closed on the server");
      } else {
        addEvent(noteEntry("end", `${data.reason}; reconnects in ${seconds(data.retry_ms / 1000)}`));
        this.show("waiting", "reconnecting");
      }
    }
  }

  interrupted() {
    if (!this.source) return;
    byId("close").disabled = true;
    if (this.source.readyState === EventSource.CLOSED) {
      // Any answer but 200 text/event-stream makes the browser give up for good.
      const wait = REOPEN_MS[Math.min(this.reopened++, REOPEN_MS.length - 1)];
      addEvent(noteEntry("refused", `the browser gave up; a new try in ${seconds(wait / 1000)}`));
      this.show("waiting", "refused, waiting to retry");
      this.timer = setTimeout(() => this.open({ keepPosition: true }), wait);
    } else if (!this.wasCut) {
      this.wasCut = true;
      addEvent(noteEntry("lost", "the connection broke; the browser reconnects"));
      this.show("waiting", "reconnecting");
    }
  }

  closeUrl() {
    const id = this.ready?.connection_id;
    return id && this.source ? `${this.functionUrl}/stream/${encodeURIComponent(id)}/close` : null;
  }

  // Lambda does not tell a function that its client has left: without this it would stream on.
  abandon() {
    const url = this.closeUrl();
    if (url) navigator.sendBeacon(url);
  }

  async closeOnServer() {
    const url = this.closeUrl();
    if (!url) return;
    byId("close").disabled = true;
    try {
      const answer = await getJson(url, { method: "POST" });
      addEvent(noteEntry("close", `asked; ends within ${seconds(answer.ends_within_seconds)}`));
    } catch (error) {
      addEvent(noteEntry("close", `not closed: ${error.message}`));
      byId("close").disabled = false;
    }
  }

  show(state, text) {
    byId("state").dataset.state = state;
    byId("state").textContent = text;
  }
}

function showConnection(ready) {
  byId("connection").hidden = false;
  byId("close").disabled = false;
  byId("connection-id").textContent = ready.connection_id;
  byId("connection-id").title = ready.connection_id;
  byId("session-id").textContent = short(ready.session_id);
  byId("session-id").title = ready.session_id;
  byId("sequence").textContent = `#${ready.sequence}`;
  const link = byId("trace-link");
  if (ready.trace_id) {
    link.href = `#trace=${ready.trace_id}`;
    link.textContent = "Show this trace";
    link.title = ready.trace_id;
  } else {
    link.removeAttribute("href");
    link.textContent = "none: no tracing header came";
  }
}

function itemEntry(item) {
  const latency = Math.round(item.latency_ms);
  const meta = [item.ticker ?? "no ticker", item.sentiment_type];
  if (item.score !== undefined) meta.push(`score ${item.score}`);
  if (item.source !== undefined) meta.push(item.source);
  return element("li", { class: "item", "data-sentiment": item.sentiment_type, title: item.item_id },
    element("span", { class: "headline", text: item.headline ?? item.item_id }),
    element("span", { class: "latency", text: seconds(latency / 1000), "data-slow": latency > SLOW_LATENCY_MS,
      title: "from published_at to the moment it was sent" }),
    element("span", { class: "meta", text: meta.join(" · ") }));
}

function noteEntry(kind, text) {
  return element("li", { class: "note", "data-kind": kind },
    element("b", { text: kind }), element("span", { text }), element("time", { text: clock(Date.now() / 1000) }));
}

function addEvent(entry) {
  const list = byId("events");
  list.querySelector(".empty")?.remove();
  entry.classList.add("new");
  list.prepend(entry);
  // Whoever has scrolled down to read keeps their place.
  if (list.scrollTop > 0) list.scrollTop += entry.offsetHeight;
  while (list.childElementCount > KEPT_EVENTS) list.lastElementChild.remove();
}

async function publish(event) {
  event.preventDefault();
  const item = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
  const output = byId("published");
  delete output.dataset.failed;
  try {
    const written = await getJson("/api/items", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(item),
    });
    output.textContent = `published ${written.item_id}`;
  } catch (error) {
    output.dataset.failed = "";
    output.textContent = error.message;
  }
}

// ---------------------------------------------------------------- trace list

const REFRESH_MS = 3000;

class TraceList {
  constructor(view) {
    this.view = view;
    this.shown = "";
    this.annotation = "";
  }

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
    const signature = JSON.stringify([traces, this.view.traceId]);
    if (signature !== this.shown) {
      this.shown = signature;
      this.draw(traces);
    }
    this.view.changed(traces);
  }

  problem(text) {
    byId("search-problem").hidden = !text;
    byId("search-problem").textContent = text;
  }

  draw(traces) {
    const list = byId("trace-list");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.trace : null;
    if (traces.length === 0) {
      const text = this.annotation ? `No trace has ${this.annotation}.` : "No trace yet: open a stream.";
      list.replaceChildren(element("li", { class: "empty", text }));
      return;
    }
    list.replaceChildren(...traces.map((trace) => element("li", {}, this.line(trace))));
    list.querySelector(`[data-trace="${CSS.escape(focused ?? "")}"]`)?.focus();
    if (this.current !== this.view.traceId) {
      this.current = this.view.traceId;
      list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
    }
  }

  line(trace) {
    const flag = trace.has_fault ? ["fault", "✕ fault"] : trace.has_error ? ["error", "! error"] : null;
    const session = trace.session_id === null ? "" : `${short(trace.session_id)} #${trace.connection_sequence}`;
    return element("button", {
      type: "button", "data-trace": trace.trace_id, "aria-current": String(trace.trace_id === this.view.traceId),
      title: trace.trace_id, onclick: () => { location.hash = `trace=${trace.trace_id}`; },
    },
      element("span", { class: "when", text: clock(trace.start) }),
      element("span", { class: "what", text: titleOf(trace) }),
      element("span", { class: "number", text: trace.in_progress ? "open" : seconds(trace.duration) }),
      element("span", { class: "session quiet", text: session }),
      element("span", { class: "reason", text: trace.end_reason ? `end: ${trace.end_reason}` : "" }),
      element("span", { class: "flags" }, flag && element("span", { class: `flag ${flag[0]}`, text: flag[1] })));
  }
}

// ---------------------------------------------------------------- one trace

const LANE_COLUMNS = 900;
const SHOWN_ROWS = 800;
const WIDE_SHARE = 0.02;

class TraceView {
  constructor(root) {
    this.root = root;
    this.traceId = null;
    this.trace = null;
    this.open = new Set();
    this.known = new Set();
    this.selected = null;
    this.zoom = null;
    this.signature = "";
  }

  async select(traceId) {
    this.traceId = traceId;
    this.signature = "";
    this.open.clear();
    this.known.clear();
    this.selected = null;
    this.zoom = null;
    await this.load();
  }

  // Called with the list whenever it was read. The trace is read again when its own line or the
  // neighbours that it links to have changed.
  changed(traces) {
    const own = traces.find((trace) => trace.trace_id === this.traceId);
    const session = own?.session_id ?? null;
    const neighbours = traces.filter((trace) => session !== null && trace.session_id === session);
    const signature = JSON.stringify([own, neighbours.map((trace) => trace.trace_id)]);
    if (this.traceId && signature !== this.signature) {
      this.signature = signature;
      this.load();
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
      this.records = new Map(trace.records.map((record) => [record.id, record]));
      this.childrenOf = new Map();
      for (const record of trace.records) {
        if (!this.childrenOf.has(record.parent_id)) this.childrenOf.set(record.parent_id, []);
        this.childrenOf.get(record.parent_id).push(record);
      }
      this.children = new Map();
      for (const row of trace.layout.rows) {
        if (!this.children.has(row.parent_key)) this.children.set(row.parent_key, []);
        this.children.get(row.parent_key).push(row);
      }
      // Rows that arrive later open like the others; those seen before stay as they were left.
      for (const row of trace.layout.rows) {
        if (!row.has_children || this.known.has(row.key)) continue;
        this.known.add(row.key);
        if (!row.folded) this.open.add(row.key);
      }
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
    const hadFocus = this.root.querySelector(".rows")?.contains(document.activeElement);
    this.root.replaceChildren(this.head(), this.facts(), this.verdicts(), this.tools(), this.waterfall());
    if (hadFocus) this.root.querySelector('.row[tabindex="0"]')?.focus();
  }

  head() {
    const { trace } = this;
    const link = (label, target) => element("button", {
      type: "button", disabled: !target?.held, text: label,
      title: target?.held ? target.trace_id : "no such connection is held here",
      onclick: () => { location.hash = `trace=${target.trace_id}`; },
    });
    const nav = element("nav", { "aria-label": "Connections of this session" },
      link("‹ Previous", trace.links.previous), link("Next ›", trace.links.next));
    return element("div", { class: "trace-head" },
      element("div", {},
        element("h3", { text: titleOf(trace) }),
        element("p", { class: "id mono", text: trace.trace_id })),
      trace.session_id === null ? null : nav);
  }

  facts() {
    const { trace } = this;
    const facts = [["began", clock(trace.start)], ["took", trace.in_progress ? "still open" : seconds(trace.duration)]];
    if (trace.end_reason !== null) facts.push(["ended by", trace.end_reason]);
    if (trace.is_cold_start !== null) facts.push(["cold start", trace.is_cold_start ? "yes" : "no"]);
    if (trace.connection_id !== null) facts.push(["connection", short(trace.connection_id)]);
    const list = facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value })));
    if (trace.session_id !== null) {
      const search = element("button", {
        type: "button", class: "plain", title: `All traces with session_id=${trace.session_id}`,
        text: `${short(trace.session_id)} #${trace.connection_sequence}`,
        onclick: () => searchFor(`session_id=${trace.session_id}`),
      });
      list.splice(4, 0, element("div", {}, element("dt", { text: "session" }), element("dd", {}, search)));
    }
    return element("dl", { class: "facts" }, ...list);
  }

  verdicts() {
    const { verdicts, size } = this.trace;
    const budget = `${bytes(size.bytes)} in ${size.documents} documents, of ${bytes(size.budget_bytes)}`;
    const title = element("summary", {});
    if (verdicts.length === 0) {
      title.append(element("span", { class: "ok", text: "X-Ray takes all of it" }));
    } else {
      const count = (severity) => verdicts.filter((verdict) => verdict.severity === severity).length;
      const parts = ["lost", "altered", "misleading", "note"].filter(count).map((s) => `${count(s)} ${s}`);
      const colour = count("lost") ? "fault" : count("altered") + count("misleading") ? "error" : "quiet";
      title.append(element("span", { class: `flag ${colour}`, text: `What X-Ray would do: ${parts.join(", ")}` }));
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

  tools() {
    const key = (phase, text, mark = {}) => element("span", { class: "key", "data-phase": phase }, element("i", mark), text);
    const { layout } = this.trace;
    const views = [["Whole trace", null]];
    if (layout.boundary !== null && layout.duration > 4 * layout.boundary) {
      views.push(["Handler phase", [0, Math.min(layout.boundary * 2, layout.duration)]]);
    }
    const row = this.selected && layout.rows.find((one) => one.key === this.selected);
    if (row) views.push(["Selected", this.around(row)]);
    const buttons = views.length < 2 ? [] : views.map(([text, zoom]) => element("button", {
      type: "button", class: "plain", text, "aria-pressed": String(JSON.stringify(zoom) === JSON.stringify(this.zoom)),
      onclick: () => { this.zoom = zoom; this.draw(); },
    }));
    return element("div", { class: "tools" },
      key("service", "Lambda"), key("handler", "handler (X-Ray)"), key("streaming", "streaming (OTel)"),
      key("streaming", "rolled up", { class: "rolled" }), layout.boundary === null ? null : key("", `handler returned after ${seconds(layout.boundary)}`, { class: "line" }),
      ...layout.gaps.map((gap) => key("", `nothing for ${seconds(gap.end - gap.start)} at ${seconds(gap.start)}`, { class: "hatch" })),
      element("span", { class: "zoom", role: "group", "aria-label": "Zoom" }, ...buttons));
  }

  around(row) {
    const { layout } = this.trace;
    const records = row.records.map((id) => this.records.get(id));
    const start = Math.min(...records.map((record) => record.start)) - layout.start;
    const end = Math.max(...records.map(endOf)) - layout.start;
    const margin = Math.max((end - start) * 0.1, 0.0005);
    return [Math.max(0, start - margin), Math.min(layout.duration, end + margin)];
  }

  // ---- drawing the rows

  waterfall() {
    const { layout } = this.trace;
    const [from, to] = this.zoom ?? [0, layout.duration];
    const span = to - from || 1;
    const place = (offset) => (offset - from) / span;
    const percent = (share) => `${(share * 100).toFixed(3)}%`;

    const ticks = niceTicks(from, to);
    const axis = element("div", { class: "axis" }, element("div", { class: "ticks" }, ...ticks.map((tick) => {
      const label = element("span", { text: tickLabel(tick) });
      label.style.left = percent(place(tick));
      return label;
    })));
    const overlay = element("div", {});
    const line = (kind, offset) => {
      const made = element("div", { class: kind });
      made.style.left = percent(place(offset));
      overlay.append(made);
      return made;
    };
    ticks.forEach((tick) => line("tick", tick));
    for (const gap of layout.gaps) {
      const hatch = line("gap", gap.start);
      hatch.style.width = percent((gap.end - gap.start) / span);
    }
    if (layout.boundary !== null) line("boundary", layout.boundary);

    const rows = element("div", { class: "rows", role: "tree", "aria-label": "Spans of both phases", onkeydown: (event) => this.key(event) });
    const visible = this.visibleRows();
    const active = visible.some((row) => row.key === this.selected) ? this.selected : visible[0]?.key;
    for (const row of visible.slice(0, SHOWN_ROWS)) {
      rows.append(this.row(row, place, percent, row.key === active));
      if (row.key === this.selected) rows.append(this.detail(row));
    }
    const more = visible.length - SHOWN_ROWS;
    if (more > 0) rows.append(element("p", { class: "quiet", text: `${more} more rows: fold a lane to see them.` }));
    return element("div", { class: "waterfall" }, axis, element("div", { class: "overlay" }, overlay), rows);
  }

  visibleRows() {
    const visible = [];
    const walk = (key) => {
      for (const row of this.children.get(key) ?? []) {
        visible.push(row);
        if (this.open.has(row.key)) walk(row.key);
      }
    };
    walk(null);
    return visible;
  }

  row(row, place, percent, isActive) {
    const records = row.records.map((id) => this.records.get(id));
    const isOpen = row.has_children && this.open.has(row.key);
    const bars = element("div", { class: "bars" });
    for (const mark of this.marks(row, records, place)) {
      const drawn = element("div", {
        class: "bar-mark", "data-phase": row.phase, "data-status": mark.status, "data-rolled": mark.rolled,
        "data-container": row.has_children && !row.is_lane, "data-wide": mark.right - mark.left > WIDE_SHARE,
        "data-open": mark.inProgress, title: mark.title,
      });
      drawn.style.left = percent(mark.left);
      drawn.style.width = percent(mark.right - mark.left);
      bars.append(drawn);
    }
    const failed = this.failures(row, records);
    const made = element("div", {
      class: `row${isOpen ? " parent-open" : ""}`, role: "treeitem", tabindex: isActive ? "0" : "-1", "data-key": row.key,
      "aria-level": row.depth + 1, "aria-selected": String(row.key === this.selected),
      "aria-expanded": row.has_children ? String(isOpen) : undefined,
      onclick: (event) => (event.target.closest(".twist") && row.has_children ? this.toggle(row) : this.choose(row)),
    },
      element("div", { class: "name" },
        element("span", { class: "twist", "aria-hidden": "true", text: row.has_children ? (isOpen ? "▼" : "▶") : "" }),
        element("span", { class: "label", text: rowLabel(row, records), title: row.name }),
        row.is_lane ? element("span", { class: "times", text: `×${records.length}` }) : null,
        represented(records) && element("span", { class: "times", text: `Σ ${represented(records)}` }),
        failed && element("span", { class: `flag ${failed.kind}`, text: failed.text, title: failed.title })),
      bars,
      element("div", { class: "value", text: durations(records), title: row.is_lane ? "mean" : undefined }));
    made.style.setProperty("--depth", row.depth);
    return made;
  }

  // The worst of a record and of what is folded away below it: "fault", "error" or undefined.
  worst(row, record) {
    const hides = row.is_lane || !this.open.has(row.key);
    const pending = [record];
    const seen = new Set();
    let found;
    while (pending.length) {
      const one = pending.pop();
      if (seen.has(one.id)) continue;
      seen.add(one.id);
      if (one.fault) return "fault";
      if (one.error || errorTypeOf(one)) found = "error";
      if (hides) pending.push(...(this.childrenOf.get(one.id) ?? []));
    }
    return found;
  }

  failures(row, records) {
    const statuses = records.map((record) => this.worst(row, record));
    const count = (status) => statuses.filter((one) => one === status).length;
    const [faults, errors] = [count("fault"), count("error")];
    if (!faults && !errors) return null;
    const parts = [];
    if (faults) parts.push(row.is_lane ? `✕ ${faults}` : "✕");
    if (errors) parts.push(row.is_lane ? `! ${errors}` : "!");
    const words = [faults && `${faults} with a fault`, errors && `${errors} with an error`].filter(Boolean).join(", ");
    return { kind: faults ? "fault" : "error", text: parts.join(" "), words, title: `${words}, here or folded away below` };
  }

  // A lane of thousands is drawn as at most LANE_COLUMNS marks; a failure is never hidden by a success.
  marks(row, records, place) {
    const merged = new Map();
    const { start } = this.trace.layout;
    for (const record of records) {
      const left = place(record.start - start);
      const right = record.end === null ? 1 : place(record.end - start);
      if (right < 0 || left > 1) continue;
      const mark = {
        left: Math.max(0, left), right: Math.min(1, right), rolled: isRolledUp(record), inProgress: record.end === null,
        status: this.worst(row, record),
        title: `${record.name}, ${record.end === null ? "still open" : seconds(record.end - record.start)}, at ${seconds(record.start - start)}`,
      };
      const column = row.is_lane ? `${Math.round(mark.left * LANE_COLUMNS)} ${mark.status ?? ""} ${mark.rolled}` : record.id;
      const before = merged.get(column);
      if (before) before.right = Math.max(before.right, mark.right);
      else merged.set(column, mark);
    }
    const weight = { fault: 2, error: 1 };
    return [...merged.values()].sort((a, b) => (weight[a.status] ?? 0) - (weight[b.status] ?? 0));
  }

  // ---- choosing

  choose(row) {
    this.selected = this.selected === row.key ? null : row.key;
    this.draw();
    this.focusRow(row.key);
  }

  toggle(row, open = !this.open.has(row.key)) {
    if (open) this.open.add(row.key);
    else this.open.delete(row.key);
    this.draw();
    this.focusRow(row.key);
  }

  focusRow(key) {
    const wanted = this.root.querySelector(`.row[data-key="${CSS.escape(key)}"]`);
    if (!wanted) return;
    this.root.querySelectorAll('.row[tabindex="0"]').forEach((row) => row.setAttribute("tabindex", "-1"));
    wanted.setAttribute("tabindex", "0");
    wanted.focus({ preventScroll: false });
  }

  key(event) {
    const current = event.target.closest(".row");
    if (!current || event.altKey || event.ctrlKey || event.metaKey) return;
    const visible = this.visibleRows();
    const at = visible.findIndex((row) => row.key === current.dataset.key);
    const row = visible[at];
    const isOpen = this.open.has(row.key);
    const go = (index) => this.focusRow(visible[Math.max(0, Math.min(index, visible.length - 1))].key);
    const actions = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(visible.length - 1),
      ArrowRight: () => (row.has_children && !isOpen ? this.toggle(row, true) : go(at + 1)),
      ArrowLeft: () => (row.has_children && isOpen ? this.toggle(row, false) : row.parent_key && this.focusRow(row.parent_key)),
      Enter: () => this.choose(row),
      " ": () => this.choose(row),
      Escape: () => this.selected && this.choose(visible.find((one) => one.key === this.selected) ?? row),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  // ---- details

  detail(row) {
    const records = row.records.map((id) => this.records.get(id));
    const content = row.is_lane ? this.laneDetail(row, records) : this.recordDetail(records[0]);
    return element("div", { class: "detail", role: "group", "aria-label": `Details of ${row.name}` }, ...content);
  }

  laneDetail(row, records) {
    const { start } = this.trace.layout;
    const took = single(records).map((record) => endOf(record) - record.start);
    const stands = represented(records);
    const facts = {
      spans: `${records.length}`, "standing for": stands ? `${stands} more, rolled up` : undefined,
      mean: seconds(took.reduce((a, b) => a + b, 0) / took.length), maximum: seconds(Math.max(...took)),
      failed: this.failures(row, records)?.words,
    };
    const slowest = single(records).sort((a, b) => endOf(b) - b.start - (endOf(a) - a.start)).slice(0, 5);
    const jump = (record) => element("button", {
      type: "button", text: `${seconds(endOf(record) - record.start)} at ${seconds(record.start - start)}`,
      onclick: () => this.reveal(row, record.id),
    });
    const broken = records.filter((record) => this.worst(row, record)).slice(0, 12);
    return [
      table(facts),
      element("div", {}, element("h4", { text: "Slowest" }), element("div", { class: "slowest" }, ...slowest.map(jump))),
      broken.length ? element("div", {}, element("h4", { text: "Failed" }), element("div", { class: "slowest" }, ...broken.map(jump))) : null,
    ].filter(Boolean);
  }

  reveal(lane, id) {
    this.open.add(lane.key);
    this.selected = id;
    this.draw();
    this.focusRow(id);
  }

  recordDetail(record) {
    const { start } = this.trace.layout;
    const xrayName = record.xray_name !== undefined && record.xray_name !== record.name ? record.xray_name : undefined;
    const facts = {
      "name in X-Ray": xrayName,
      source: record.source === "otel" ? `OpenTelemetry, ${record.kind}` : record.is_subsegment ? "X-Ray subsegment" : `X-Ray segment${record.origin ? `, ${record.origin}` : ""}`,
      began: `${seconds(record.start - start)} into the trace`,
      took: record.end === null ? "still open" : seconds(record.end - record.start),
      result: [
        record.fault && "fault", (record.error || (errorTypeOf(record) && !record.fault)) && "error",
        record.throttle && "throttle", errorTypeOf(record),
      ].filter(Boolean).join(", ") || "ok",
      status: record.http?.response?.status,
      id: record.id, parent: record.parent_id ?? "none",
      document: record.document_bytes === null ? "cannot be encoded" : bytes(record.document_bytes),
    };
    const blocks = [["Facts", facts], ["Annotations", record.annotations]];
    for (const [space, values] of Object.entries(record.metadata)) {
      blocks.push([space === "default" ? "Metadata" : `Metadata: ${space}`, values]);
    }
    const { xray, ...aws } = record.aws ?? {};
    if (Object.keys(aws).length) blocks.push(["AWS", aws]);
    const shown = blocks.filter(([, values]) => values && Object.keys(values).length)
      .map(([title, values]) => element("div", {}, element("h4", { text: title }), table(values)));
    const causes = (record.cause?.exceptions ?? []).map((exception) => element("div", { class: "exception" },
      element("b", { text: exception.type || "error" }), element("span", { text: exception.message ? `: ${exception.message}` : "" }),
      element("ol", {}, ...(exception.stack ?? []).map((frame) => element("li", { text: `${frame.label} (${frame.path}:${frame.line})` })))));
    const links = (record.links ?? []).map((link) => element("a", { href: `#trace=${link.trace_id}`, text: `${link.trace_id} / ${link.id}`, class: "mono" }));
    return [
      causes.length ? element("div", {}, ...causes) : null,
      element("div", { class: "columns" }, ...shown),
      links.length ? element("div", {}, element("h4", { text: "Linked spans" }), ...links) : null,
    ].filter(Boolean);
  }
}

// What was asked for, as far as the trace knows.
function titleOf(trace) {
  if (trace.route !== null) return trace.route;
  if (trace.session_id !== null) return `Stream, connection ${trace.connection_sequence} of its session`;
  return `Request to ${trace.name}`;
}

function rowLabel(row, [record]) {
  if (row.phase !== "service") return row.name;
  return record.origin === "AWS::Lambda::Function" ? `${row.name} function` : `${row.name} service`;
}

const endOf = (record) => record.end ?? record.start;

function isRolledUp(record) {
  const said = { ...(record.metadata.default ?? {}), ...record.annotations };
  return said.rolled_up === true || "count" in said;
}

// Why a step failed. X-Ray has no flag on the step around a throttle, which says it as metadata alone.
const errorTypeOf = (record) => record.metadata.default?.error_type;

// How many operations the rolled-up records among these stand for.
function represented(records) {
  const counts = records.filter(isRolledUp).map((record) => Number(record.metadata.default?.count ?? 0));
  return counts.reduce((a, b) => a + b, 0);
}

// Those that are one operation each: a roll-up's length says nothing about how long one took.
function single(records) {
  const found = records.filter((record) => !isRolledUp(record));
  return found.length ? found : [...records];
}

function durations(records) {
  if (records.length === 1 && records[0].end === null) return "open";
  const took = single(records).map((record) => endOf(record) - record.start);
  return `${records.length > 1 ? "ø " : ""}${seconds(took.reduce((a, b) => a + b, 0) / took.length)}`;
}

function table(values) {
  const rows = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return element("table", {}, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {},
    element("td", { text: name }), element("td", { text: typeof value === "object" ? JSON.stringify(value) : String(value) })))));
}

function niceTicks(from, to) {
  const wanted = matchMedia("(max-width: 899px)").matches ? 4 : 7;
  const raw = (to - from) / wanted || 1;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * scale).find((candidate) => candidate >= raw);
  const ticks = [];
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to + step * 1e-9; n++) ticks.push(n * step);
  return ticks;
}

// ---------------------------------------------------------------- the page

const view = new TraceView(byId("trace"));
const list = new TraceList(view);

function searchFor(annotation) {
  byId("annotation").value = annotation;
  list.annotation = annotation.trim();
  list.refresh();
}

async function followHash() {
  const found = /^#trace=([0-9a-fA-F-]+)$/.exec(location.hash);
  if (!found) return;
  await view.select(found[1]);
  await list.refresh();
}

function arrowKeys(event) {
  if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const buttons = [...byId("trace-list").querySelectorAll("button")];
  const next = buttons[buttons.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) { event.preventDefault(); next.focus(); }
}

async function begin() {
  const info = await getJson("/api/info");
  byId("function-url").textContent = info.function_url;
  const stream = new Stream(info.function_url);
  byId("filter").addEventListener("submit", (event) => {
    event.preventDefault();
    if (stream.source) {
      stream.disconnect();
      stream.show("idle", "not connected");
      addEvent(noteEntry("closed", "by this page alone; the function streams on until it rotates"));
    } else {
      stream.open();
    }
  });
  byId("filter").addEventListener("change", () => { if (stream.source) stream.open(); });
  byId("close").addEventListener("click", () => stream.closeOnServer());
  byId("publish").addEventListener("submit", publish);
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); searchFor(byId("annotation").value); });
  byId("annotation").addEventListener("search", () => searchFor(byId("annotation").value));
  byId("trace-list").addEventListener("keydown", arrowKeys);
  addEventListener("hashchange", followHash);
  addEventListener("pagehide", () => stream.abandon());
  matchMedia("(max-width: 899px)").addEventListener("change", () => view.trace && view.draw());

  view.load();
  await followHash();
  await list.refresh();
  setInterval(() => { if (!document.hidden) list.refresh(); }, REFRESH_MS);
}

begin();
