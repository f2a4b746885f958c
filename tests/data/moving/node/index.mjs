// The orders of a shop.
import { setTimeout } from "node:timers/promises";

const orders = ["tea", "milk", "sugar"];

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath !== "/orders") {
    const head = { statusCode: 404, headers: { "content-type": "application/json" } };
    stream = awslambda.HttpResponseStream.from(stream, head);
    stream.write(JSON.stringify({ error: "no such page" }));
    stream.end();
    return;
  }
  const count = Number(event.queryStringParameters?.count ?? orders.length);
  const head = {
    statusCode: 200,
    headers: { "content-type": "application/x-ndjson" },
    cookies: ["seen=1"],
  };
  stream = awslambda.HttpResponseStream.from(stream, head);
  for (const item of orders.slice(0, count)) {
    stream.write(JSON.stringify({ item }) + "\n");
    await setTimeout(100);
  }
  stream.end();
});
