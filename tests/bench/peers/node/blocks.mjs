// Blocks as the bench's event asks for them, one in each turn of the event loop, or with a pause.
import { setImmediate, setTimeout } from "node:timers/promises";

export const handler = awslambda.streamifyResponse(async (event, out) => {
  const body = awslambda.HttpResponseStream.from(out, {
    statusCode: 200,
    headers: { "content-type": "text/event-stream" },
  });
  body.write(": open\n\n");
  for (let sent = 0; sent < event.blocks; sent++) {
    await (event.pause_seconds ? setTimeout(event.pause_seconds * 1000) : setImmediate());
    if (!body.write(event.block)) {
      await new Promise((resolve) => body.once("drain", resolve));
    }
  }
  body.end();
});
