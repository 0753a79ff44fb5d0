// What the programs for Node here have in common: they read one line of JSON that says what to do, print {"open": address}
// when their person has to go somewhere, and {"done": ...} at the end.
import http from "node:http";
import readline from "node:readline";

// Reads what to do, does it, and tells what came of it.
export async function run(program) {
  const lines = readline.createInterface({ input: process.stdin });
  const [line] = await new Promise((resolve) => lines.once("line", (...all) => resolve(all)));
  lines.close();
  const callback = await listen();
  try {
    console.log(JSON.stringify({ done: await program(JSON.parse(line), callback) }));
  } finally {
    callback.close();
  }
}

// Sends the person to an address, from a device with the code that it shows.
export function open(url, device) {
  console.log(JSON.stringify({ open: String(url), ...(device && { device }) }));
}

// A listener on a free port of the loopback address, where the browser comes back.
async function listen() {
  const came = [];
  const waiting = [];
  const server = http.createServer((request, response) => {
    response.end("Back in the program.\n");
    if (!request.url.startsWith("/callback")) return;
    const url = new URL(request.url, `http://127.0.0.1:${server.address().port}`);
    waiting.length > 0 ? waiting.shift()(url) : came.push(url);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    uri: `http://127.0.0.1:${server.address().port}/callback`,
    next: () => (came.length > 0 ? came.shift() : new Promise((resolve) => waiting.push(resolve))),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

// What was thrown, in words.
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return { name: error.constructor.name, code: error.error ?? error.errorCode ?? error.code, message: error.message };
  }
  return null;
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}
