// The page of a feed that an app declares: controls and form are made from its declaration.

import { byId, element } from "./dom.js";

const SHOWN_ATTRIBUTES = 6;
const SHOWN_CHARACTERS = 60;

// What the stream and the lists need of the feed; see sentiment.js.
export function declaredFeed(feed, { exampleCaller, region }) {
  const controls = controlsOf(feed, exampleCaller, region);
  const filter = byId("filter");
  for (const node of [...filter.querySelectorAll("fieldset, .grow")]) node.remove();
  filter.prepend(...controls.map((control) => control.node));
  makeItemForm(byId("publish"), feed);
  const nothingChosen = controls.find((control) => control.missing)?.missing ?? "Nothing is chosen: there is nothing to stream.";
  return {
    event: feed.event,
    itemId: feed.item_id,
    time: feed.time,
    nothingChosen,
    whyClosed: "nothing is chosen",
    queryOf() {
      const query = new URLSearchParams();
      return controls.every((control) => control.addTo(query)) ? query : null;
    },
    shown: (item) => ({ headline: String(item[feed.item_id]), meta: metaOf(item, feed) }),
  };
}

function controlsOf(feed, exampleCaller, region) {
  const controls = [];
  if (feed.chosen_by === "caller") controls.push(caller(exampleCaller, region));
  else if (feed.chosen_by === "query") controls.push(text(feed.parameter, feed.partition, { isRequired: true }));
  else if (feed.parameter) controls.push(choices(feed.parameter, feed.partition, feed.values));
  for (const { attribute, parameter, values } of feed.filters) {
    controls.push(values ? choices(parameter, attribute, values) : text(parameter, attribute, {}));
  }
  return controls;
}

// All of them is the same as no parameter; none of them is no stream.
function choices(parameter, label, values) {
  const boxes = values.map((value) => element("input", { type: "checkbox", checked: true, value }));
  return {
    node: element("fieldset", { class: "toggles" }, element("legend", { text: label }),
      ...boxes.map((box) => element("label", {}, box, element("span", { text: box.value })))),
    addTo(query) {
      const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
      if (chosen.length < boxes.length) query.set(parameter, chosen.join(","));
      return chosen.length > 0;
    },
  };
}

function text(parameter, label, { isRequired }) {
  const placeholder = isRequired ? "one, or several with commas" : "all, or some with commas";
  const input = element("input", { placeholder, autocomplete: "off", spellcheck: "false" });
  return {
    node: element("label", { class: "field grow" }, label, input),
    missing: isRequired ? `A stream is of one ${label}, or several: name them.` : null,
    addTo(query) {
      const given = input.value.split(",").map((part) => part.trim()).filter(Boolean).join(",");
      if (given) query.set(parameter, given);
      return Boolean(given) || !isRequired;
    },
  };
}

// An EventSource sends no headers of its own: the signature is the query's, as in a presigned URL.
// The local doors take the access key for the user's name, and check no signature.
function caller(example, region) {
  const input = element("input", { value: example, autocomplete: "off", spellcheck: "false", pattern: "[\\w+=,.@\\-]{1,128}" });
  return {
    node: element("label", { class: "field grow" }, "IAM user who asks", input),
    missing: "A stream is of the user who asks for it: name one (letters, digits, _ + = , . @ -).",
    addTo(query) {
      const user = input.value.trim();
      const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
      query.set("X-Amz-Credential", `${user}/${day}/${region}/lambda/aws4_request`);
      return Boolean(user) && input.validity.valid;
    },
  };
}

function makeItemForm(form, feed) {
  for (const node of [...form.querySelectorAll("label")]) node.remove();
  const attributes = [[feed.partition, feed.values], ...feed.filters.map((one) => [one.attribute, one.values])];
  const isFirst = (name, index) => attributes.findIndex(([other]) => other === name) === index;
  form.prepend(...[[feed.item_id, null], ...attributes.filter(([name], index) => isFirst(name, index) && name !== feed.item_id)]
    .map(([name, values]) => field(name, values, name === feed.item_id ? "made up" : "")));
}

function field(name, values, placeholder) {
  const input = values
    ? element("select", { name }, ...values.map((text) => element("option", { text })))
    : element("input", { name, placeholder, autocomplete: "off", spellcheck: "false" });
  return element("label", { class: "field" }, name, input);
}

function metaOf(item, feed) {
  const told = new Set([feed.item_id, feed.time, "latency_ms"]);
  const names = Object.keys(item).filter((name) => !told.has(name) && typeof item[name] !== "object");
  const first = [feed.partition, ...feed.filters.map((one) => one.attribute)].filter((name) => names.includes(name));
  return [...new Set([...first, ...names.sort()])].slice(0, SHOWN_ATTRIBUTES)
    .map((name) => `${name} ${String(item[name]).slice(0, SHOWN_CHARACTERS)}`);
}
