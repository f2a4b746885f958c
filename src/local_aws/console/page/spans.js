// What a trace's records say. Pure.

// What was asked for, as far as the trace knows, or the request that it is of.
export function titleOf(trace, request) {
  if (trace.route !== null) return trace.route;
  if (trace.session_id !== null) return `Stream, connection ${trace.connection_sequence} of its session`;
  return request ? `${request.method} ${request.path}` : `Request to ${trace.name}`;
}

export const endOf = (record) => record.end ?? record.start;

export function isRolledUp(record) {
  const said = { ...(record.metadata.default ?? {}), ...record.annotations };
  return said.rolled_up === true || "count" in said;
}

// Why a step failed. The step around a throttled request has no flag in X-Ray, only this metadata.
export const errorTypeOf = (record) => record.metadata.default?.error_type;

// How many operations the rolled-up records among these stand for.
export function represented(records) {
  const counts = records.filter(isRolledUp).map((record) => Number(record.metadata.default?.count ?? 0));
  return counts.reduce((a, b) => a + b, 0);
}

// Those that are one operation each: a roll-up's length says nothing about how long one took.
export function single(records) {
  const found = records.filter((record) => !isRolledUp(record));
  return found.length ? found : [...records];
}

export function meanSeconds(records) {
  const took = single(records).map((record) => endOf(record) - record.start);
  return took.reduce((a, b) => a + b, 0) / took.length;
}
