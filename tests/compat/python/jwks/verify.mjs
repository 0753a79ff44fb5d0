// Verifies tokens with `jose`: node verify.mjs FOLDER. Each line of the input is a question, each line of the output its
// answer: the claims, or the name of the error. A question has the key set itself (`set`), or its address (`url`), whose
// set is then kept from question to question as a server would.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const jose = await import(pathToFileURL(createRequire(`${process.argv[2]}/package.json`).resolve("jose")));
const kept = new Map();

function keysOf({ set, url }) {
  if (set) return jose.createLocalJWKSet(set);
  // By default it waits half a minute before it fetches again, which is for servers and not for a test.
  if (!kept.has(url)) kept.set(url, jose.createRemoteJWKSet(new URL(url), { cooldownDuration: 0 }));
  return kept.get(url);
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const { token, issuer, audience } = question;
  let answer;
  try {
    const { payload } = await jose.jwtVerify(token, keysOf(question), { issuer, audience, algorithms: ["RS256"] });
    answer = { claims: payload };
  } catch (error) {
    answer = { error: error.code ?? `${error}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
