// The spans of one trace on one time axis: a tree of rows, folded and unfolded, with details.
//
// Places are written as seconds into CSS variables (--at, --left, --right) and turned into shares of
// the axis by the style sheet (--from, --span), so that the axis of a trace in progress can move on
// without drawing anything anew.

import { element } from "./dom.js";
import { seconds, tickLabel } from "./format.js";
import { laneDetail, recordDetail } from "./span_detail.js";
import { endOf, errorTypeOf, isRolledUp, meanSeconds, represented } from "./spans.js";

const LANE_COLUMNS = 900;
const SHOWN_ROWS = 800;
const WIDE_SHARE = 0.02;
const COLUMNS = 3;

export class Waterfall {
  constructor() {
    this.root = element("div", { class: "spans" });
    this.open = new Set(); // rows whose children are shown
    this.known = new Set(); // rows drawn before, which stay folded or unfolded as they are
    this.chosen = new Set(); // rows whose details are shown, the latest last
    this.active = null; // the row that the keyboard is at
    this.revealed = null; // the record that an event has led to
    this.moment = null; // of an event, in seconds from the trace's start
    this.zoom = null; // what is shown, in seconds from the trace's start, and its name; null: all of it
  }

  show(trace) {
    this.trace = trace;
    this.shownAt = performance.now();
    this.records = new Map(trace.records.map((record) => [record.id, record]));
    this.childrenOf = grouped(trace.records, (record) => record.parent_id);
    this.children = grouped(trace.layout.rows, (row) => row.parent_key);
    for (const row of trace.layout.rows) {
      if (!row.has_children || this.known.has(row.key)) continue;
      this.known.add(row.key);
      if (!row.folded) this.open.add(row.key);
    }
    this.draw();
  }

  // How far the trace has got, in seconds from its start.
  get reached() {
    const { layout, in_progress: inProgress } = this.trace;
    return layout.duration + (inProgress ? (performance.now() - this.shownAt) / 1000 : 0);
  }

  // While the trace is in progress its axis moves on.
  tick() {
    if (this.zoom === null) this.drawAxis();
  }

  draw() {
    const hadFocus = this.root.contains(document.activeElement);
    this.rows = this.visibleRows();
    if (!this.rows.some((row) => row.key === this.active)) this.active = this.rows[0]?.key ?? null;
    this.ticks = element("div", { class: "ticks", role: "columnheader", "aria-label": "Time" });
    this.overlay = element("div", { class: "overlay", "aria-hidden": "true" });
    this.chart = element("div", { class: "waterfall" }, this.overlay, this.grid());
    this.drawAxis();
    this.root.replaceChildren(this.tools(), this.chart);
    const more = this.rows.length - SHOWN_ROWS;
    if (more > 0) this.root.append(element("p", { class: "quiet", text: `${more} more rows: fold a lane to see them.` }));
    if (hadFocus) this.rowElement(this.active)?.focus({ preventScroll: true });
  }

  tools() {
    const key = (phase, text, mark = {}) => element("span", { class: "key", "data-phase": phase }, element("i", mark), text);
    const { layout } = this.trace;
    const view = (name, range, disabled = false) => element("button", {
      type: "button", class: "plain", text: name, disabled, "aria-pressed": String((this.zoom?.name ?? "Whole trace") === name),
      onclick: () => { this.zoom = range && { name, range: range() }; this.draw(); },
    });
    const hasShortHandler = layout.boundary !== null && layout.duration > 4 * layout.boundary;
    const latest = [...this.chosen].at(-1);
    return element("div", { class: "tools" },
      key("service", "Lambda"), key("handler", "handler (X-Ray)"), key("streaming", "streaming (OTel)"),
      key("streaming", "rolled up", { class: "rolled" }),
      layout.boundary === null ? null : key("", `handler returned after ${seconds(layout.boundary)}`, { class: "line" }),
      ...layout.gaps.map((gap) => key("", `nothing for ${seconds(gap.end - gap.start)} at ${seconds(gap.start)}`, { class: "hatch" })),
      element("span", { class: "zoom", role: "group", "aria-label": "Zoom" },
        view("Whole trace", null),
        hasShortHandler && view("Handler phase", () => [0, Math.min(layout.boundary * 2, layout.duration)]),
        // Always there: what stands below must not move when a span is chosen.
        view("Chosen span", () => this.around(layout.rows.find((row) => row.key === latest)), latest === undefined)));
  }

  // ---- the axis

  get range() {
    return this.zoom?.range ?? [0, this.reached];
  }

  around(row) {
    const { layout } = this.trace;
    const records = this.recordsOf(row);
    const start = Math.min(...records.map((record) => record.start)) - layout.start;
    const end = Math.max(...records.map((record) => this.endOf(record)));
    const margin = Math.max((end - start) * 0.1, 0.0005);
    return [Math.max(0, start - margin), Math.min(this.reached, end + margin)];
  }

  // In seconds from the trace's start; a record in progress has got as far as the trace.
  endOf(record) {
    return record.end === null ? this.reached : record.end - this.trace.layout.start;
  }

  drawAxis() {
    const { layout } = this.trace;
    const [from, to] = this.range;
    this.chart.style.setProperty("--from", from);
    this.chart.style.setProperty("--span", to - from || 1);
    this.chart.style.setProperty("--now", this.reached);
    const at = (kind, offset, more = {}) => element("div", { class: kind, "--at": offset, ...more });
    const ticks = niceTicks(from, to);
    this.ticks.replaceChildren(...ticks.map((tick) => element("span", { "--at": tick, text: tickLabel(tick) })));
    this.overlay.replaceChildren(element("div", {},
      ...ticks.map((tick) => at("tick", tick)),
      ...layout.gaps.map((gap) => at("gap", gap.start, { "--length": gap.end - gap.start })),
      layout.boundary === null ? null : at("boundary", layout.boundary),
      this.moment === null ? null : at("moment", this.moment)));
  }

  // ---- the rows

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

  grid() {
    const [from, to] = this.range;
    const heading = (text) => element("div", { class: "sr", role: "columnheader", text });
    const axis = element("div", { class: "axis", role: "row" }, heading("Span"), this.ticks, heading("Took"));
    const rows = this.rows.slice(0, SHOWN_ROWS).flatMap((row) => (
      this.chosen.has(row.key) ? [this.row(row, from, to), this.detail(row)] : [this.row(row, from, to)]));
    return element("div", {
      role: "treegrid", "aria-label": "Spans of both phases", "aria-colcount": COLUMNS, "aria-multiselectable": "true",
      onkeydown: (event) => this.key(event),
    }, axis, ...rows);
  }

  row(row, from, to) {
    const records = this.recordsOf(row);
    const isOpen = row.has_children && this.open.has(row.key);
    const marks = this.marks(row, records, from, to);
    const failed = this.failures(row, records);
    const start = Math.min(...records.map((record) => record.start)) - this.trace.layout.start;
    return element("div", {
      class: `row${isOpen ? " parent-open" : ""}`, role: "row", tabindex: row.key === this.active ? "0" : "-1", "data-key": row.key,
      "aria-level": row.depth + 1, "aria-selected": String(this.chosen.has(row.key)),
      "aria-expanded": row.has_children ? String(isOpen) : undefined, "--depth": row.depth,
      onclick: (event) => (event.target.closest(".twist") && row.has_children ? this.toggle(row) : this.choose(row)),
    },
      element("div", { class: "name", role: "gridcell" },
        element("span", { class: "twist", "aria-hidden": "true", text: row.has_children ? (isOpen ? "▼" : "▶") : "" }),
        element("span", { class: "label", text: this.label(row, records), title: row.name }),
        row.is_lane ? element("span", { class: "times", text: `×${records.length}` }) : null,
        represented(records) && element("span", { class: "times", text: `Σ ${represented(records)}` }),
        failed && element("span", { class: `flag ${failed.kind}`, text: failed.text, title: failed.title })),
      element("div", { class: "bars", role: "gridcell", "aria-label": `from ${seconds(start)}` },
        ...marks.map((mark) => element("div", {
          class: "bar-mark", "data-phase": row.phase, "data-status": mark.status, "data-rolled": mark.rolled,
          "data-container": row.has_children && !row.is_lane, "data-wide": mark.right - mark.left > (to - from) * WIDE_SHARE,
          "data-open": mark.inProgress, title: mark.title, "--left": mark.left,
          // One in progress ends where the axis does, which moves on.
          "--right": mark.inProgress ? undefined : mark.right,
        }))),
      element("div", { class: "value", role: "gridcell", text: durations(records), title: row.is_lane ? "mean" : undefined }));
  }

  label(row, [record]) {
    if (row.phase !== "service") return row.name;
    return record.origin === "AWS::Lambda::Function" ? `${row.name} function` : `${row.name} service`;
  }

  recordsOf(row) {
    return row.records.map((id) => this.records.get(id));
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
  marks(row, records, from, to) {
    const merged = new Map();
    const { start } = this.trace.layout;
    for (const record of records) {
      const [began, ended] = [record.start - start, this.endOf(record)];
      if (ended < from || began > to) continue;
      const mark = {
        // Cut to what is shown: a browser cannot place what is millions of pixels long.
        left: Math.max(from, began), right: Math.min(to, ended), rolled: isRolledUp(record), inProgress: record.end === null,
        status: this.worst(row, record),
        title: `${record.name}, ${record.end === null ? "still open" : seconds(record.end - record.start)}, at ${seconds(began)}`,
      };
      const place = Math.round(((mark.left - from) / (to - from || 1)) * LANE_COLUMNS);
      const column = row.is_lane ? `${place} ${mark.status ?? ""} ${mark.rolled}` : record.id;
      const before = merged.get(column);
      if (before) before.right = Math.max(before.right, mark.right);
      else merged.set(column, mark);
    }
    const weight = { fault: 2, error: 1 };
    return [...merged.values()].sort((a, b) => (weight[a.status] ?? 0) - (weight[b.status] ?? 0));
  }

  detail(row) {
    const records = this.recordsOf(row);
    const { start } = this.trace.layout;
    const content = row.is_lane
      ? laneDetail(records, start, {
        failed: records.filter((record) => this.worst(row, record)),
        failures: this.failures(row, records)?.words,
        reveal: (id) => this.reveal(row, id),
      })
      : recordDetail(records[0], start);
    return element("div", { role: "row", "data-detail": row.key },
      element("div", { class: "detail", role: "gridcell", "aria-colspan": COLUMNS }, ...content));
  }

  // ---- choosing

  // Shows or hides a row's details. Nothing above the row changes, so it stays where it is.
  choose(row) {
    const shows = !this.chosen.has(row.key);
    if (shows) this.chosen.add(row.key);
    else this.chosen.delete(row.key);
    this.goTo(row.key);
    const detail = shows && this.root.querySelector(`[data-detail="${CSS.escape(row.key)}"]`);
    // Details that would open out of sight are scrolled into it.
    if (detail && detail.getBoundingClientRect().top > innerHeight - 40) detail.scrollIntoView({ block: "nearest" });
  }

  toggle(row, open = !this.open.has(row.key)) {
    if (open) this.open.add(row.key);
    else this.open.delete(row.key);
    this.goTo(row.key);
  }

  reveal(lane, id) {
    this.open.add(lane.key);
    this.chosen.add(id);
    this.goTo(id);
    this.rowElement(id).scrollIntoView({ block: "nearest" });
  }

  // Marks the time of an event.
  mark(moment) {
    this.moment = moment;
    this.drawAxis();
  }

  // Unfolds whatever hides a record, and shows its details.
  revealRecord(id, { movesFocus }) {
    const rows = new Map(this.trace.layout.rows.map((row) => [row.key, row]));
    for (let key = rows.get(id)?.parent_key; key; key = rows.get(key)?.parent_key) this.open.add(key);
    this.chosen.delete(this.revealed);
    this.chosen.add(id);
    this.revealed = this.active = id;
    this.draw();
    const row = this.rowElement(id);
    if (movesFocus) row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  }

  goTo(key) {
    this.active = key;
    this.draw();
    this.rowElement(key)?.focus({ preventScroll: true });
  }

  rowElement(key) {
    return this.root.querySelector(`.row[data-key="${CSS.escape(key ?? "")}"]`);
  }

  moveTo(key) {
    this.rowElement(this.active)?.setAttribute("tabindex", "-1");
    this.active = key;
    const row = this.rowElement(key);
    row?.setAttribute("tabindex", "0");
    row?.focus();
  }

  key(event) {
    const current = event.target;
    if (!current.matches(".row") || event.altKey || event.ctrlKey || event.metaKey) return;
    const visible = this.rows.slice(0, SHOWN_ROWS);
    const at = visible.findIndex((row) => row.key === current.dataset.key);
    const row = visible[at];
    const isOpen = this.open.has(row.key);
    const go = (index) => this.moveTo(visible[Math.max(0, Math.min(index, visible.length - 1))].key);
    const actions = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(visible.length - 1),
      ArrowRight: () => (row.has_children && !isOpen ? this.toggle(row, true) : go(at + 1)),
      ArrowLeft: () => (row.has_children && isOpen ? this.toggle(row, false) : row.parent_key && this.moveTo(row.parent_key)),
      Enter: () => this.choose(row),
      " ": () => this.choose(row),
      Escape: () => this.chosen.has(row.key) && this.choose(row),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(value);
  }
  return groups;
}

function durations(records) {
  if (records.length === 1 && records[0].end === null) return "open";
  return `${records.length > 1 ? "ø " : ""}${seconds(meanSeconds(records))}`;
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
