// All that is known of one row: of a record, or of a lane of them.

import { element } from "./dom.js";
import { bytes, seconds } from "./format.js";
import { endOf, errorTypeOf, meanSeconds, represented, single } from "./spans.js";

// `failed` are the lane's records with a failure, `failures` says how many of which kind; `reveal`
// shows one record.
export function laneDetail(records, start, { failed, failures, reveal }) {
  const took = single(records).map((record) => endOf(record) - record.start);
  const stands = represented(records);
  const facts = {
    spans: `${records.length}`, "standing for": stands ? `${stands} more, rolled up` : undefined,
    mean: seconds(meanSeconds(records)), maximum: seconds(Math.max(...took)), failed: failures,
  };
  const slowest = single(records).sort((a, b) => endOf(b) - b.start - (endOf(a) - a.start)).slice(0, 5);
  const jump = (record) => element("button", {
    type: "button", text: `${seconds(endOf(record) - record.start)} at ${seconds(record.start - start)}`,
    onclick: () => reveal(record.id),
  });
  const broken = failed.slice(0, 12);
  return [
    table(facts),
    element("div", {}, element("h4", { text: "Slowest" }), element("div", { class: "slowest" }, ...slowest.map(jump))),
    broken.length ? element("div", {}, element("h4", { text: "Failed" }), element("div", { class: "slowest" }, ...broken.map(jump))) : null,
  ];
}

export function recordDetail(record, start) {
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
  ];
}

function table(values) {
  const rows = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return element("table", {}, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {},
    element("th", { scope: "row", text: name }), element("td", { text: typeof value === "object" ? JSON.stringify(value) : String(value) })))));
}
