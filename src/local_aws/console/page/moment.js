// Which span a moment belongs to. Pure.

import { isRolledUp } from "./spans.js";

export const DISPATCH = "sse_event_dispatch";
// A dispatch ends when the Runtime API has the event; the client has it a little later.
const ON_ITS_WAY_SECONDS = 0.25;
// A roll-up around the moment counts less than an event's own span that has just ended.
const ROLLED_UP_SECONDS = 0.02;

// The span that holds the moment `at`, in epoch seconds: that of the event's dispatch where there is
// one, else the shortest; one that has just ended where none does. A span of the streaming phase
// before any other. Events that arrived together have one moment: `ordinal` counts them from the
// stream's begin, and `event` is its name: the dispatch of one with another name is not its own, even
// where its own has not come yet. `undefined` where there is none.
export function spanAt(trace, { at, ordinal, event }) {
  const isAnothers = ({ name, metadata: { default: said } }) =>
    name === DISPATCH && event !== undefined && said?.event_type !== undefined && said.event_type !== event;
  const near = trace.records.filter((record) =>
    record.start <= at && late(record, at) <= ON_ITS_WAY_SECONDS && !isAnothers(record));
  const spans = near.filter((record) => record.source === "otel");
  const dispatches = spans.filter((record) => record.name === DISPATCH);
  const own = trace.records.filter((record) => record.name === DISPATCH && !isRolledUp(record))[ordinal];
  if (dispatches.includes(own)) return own;
  const distance = (record) => late(record, at) + (isRolledUp(record) ? ROLLED_UP_SECONDS : 0);
  if (dispatches.length) return least(dispatches, distance);
  const candidates = spans.length ? spans : near;
  const holding = candidates.filter((record) => late(record, at) === 0);
  return least(holding.length ? holding : candidates, length);
}

const late = (record, at) => (record.end === null ? 0 : Math.max(0, at - record.end));
const length = (record) => (record.end === null ? Infinity : record.end - record.start);

// The last among equals: the deepest of spans as long as each other, since records come by start.
function least(records, of) {
  let found;
  for (const record of records) if (found === undefined || of(record) <= of(found)) found = record;
  return found;
}
