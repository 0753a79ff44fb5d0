// Passes requests on and adds a bearer token: the conformance suite cannot send one.
// node bearer.mjs PORT TARGET_PORT, the token on standard input.
import http from "node:http";
import { readFileSync } from "node:fs";

const [port, target] = process.argv.slice(2).map(Number);
const authorization = `Bearer ${readFileSync(0, "utf8").trim()}`;

http
  .createServer((request, response) => {
    const headers = { ...request.headers, authorization };
    const { method, url } = request;
    const onward = http.request({ host: "127.0.0.1", port: target, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  })
  .listen(port, "127.0.0.1");
