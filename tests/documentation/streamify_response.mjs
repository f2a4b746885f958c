// Runs a function of Lambda's Node runtime: argv is its file and the events, as JSON. Prints what
// each answered, as JSON. After https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
import { pathToFileURL } from "node:url";
import { PassThrough } from "node:stream";

class ResponseStream extends PassThrough {
  static from(stream, head) {
    stream.head = head;
    return stream;
  }
}
globalThis.awslambda = { streamifyResponse: (handler) => handler, HttpResponseStream: ResponseStream };

const { handler } = await import(pathToFileURL(process.argv[2]));
const answers = [];
for (const event of JSON.parse(process.argv[3])) {
  const stream = new ResponseStream();
  const blocks = [];
  stream.on("data", (block) => blocks.push(block));
  const ended = new Promise((resolve) => stream.on("end", resolve));
  await handler(event, stream, {});
  await ended;
  answers.push({ ...stream.head, body: Buffer.concat(blocks).toString() });
}
console.log(JSON.stringify(answers));
