// The console's JSON, and the close route's.

// Throws an Error with the server's own words, and its status where there was an answer.
export async function getJson(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { status: answer.status });
  return body;
}

export function postJson(path, body = {}) {
  return getJson(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}
