// Values as people read them.

export function seconds(value) {
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 0.1) return `${(value * 1000).toPrecision(2)} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

// Since a request: to the millisecond however long it lasts.
export function milliseconds(value) {
  return value < 1000 ? `${value.toPrecision(value < 100 ? 2 : 3)} ms` : `${(value / 1000).toFixed(3)} s`;
}

export const tickLabel = (value) => (value === 0 ? "0" : seconds(value).replace(/\.0+(?= )/, ""));
export const ago = (value) => (value < 120 ? `${Math.floor(value)} s ago` : `${Math.floor(value / 60)} min ago`);
export const clock = (epochSeconds) => new Date(epochSeconds * 1000).toLocaleTimeString([], { hour12: false });
export const short = (id) => (String(id).length > 12 ? `${String(id).slice(0, 10)}…` : String(id));
export const bytes = (count) => (count < 10_000 ? `${count.toLocaleString("en")} bytes` : `${(count / 1000).toFixed(0)} KB`);
