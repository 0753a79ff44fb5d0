// Verifies a token with `jose`: node verify.mjs JWKS_URL ISSUER AUDIENCE < token. Prints the claims or the name of the error.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, url, issuer, audience] = process.argv.slice(2);
const jose = await import(pathToFileURL(createRequire(`${folder}/package.json`).resolve("jose")));
try {
  const keys = jose.createRemoteJWKSet(new URL(url));
  const token = readFileSync(0, "utf8");
  const { payload } = await jose.jwtVerify(token, keys, { issuer, audience, algorithms: ["RS256"] });
  process.stdout.write(JSON.stringify({ claims: payload }));
} catch (error) {
  process.stdout.write(JSON.stringify({ error: error.name ?? "Error" }));
}
