// What an EventSource does, told event by event. The same in a browser and in Node.
export function watch(EventSource, url, say) {
  const source = new EventSource(url);
  source.onopen = () => say({ kind: "open" });
  source.onerror = () => say({ kind: "error", state: source.readyState });
  source.onmessage = (event) => say({ kind: "message", data: event.data });
  for (const name of ["ready", "sentiment", "reset", "busy", "end"]) {
    source.addEventListener(name, (event) =>
      say({ kind: "event", name, id: event.lastEventId, data: event.data }),
    );
  }
  return source;
}
