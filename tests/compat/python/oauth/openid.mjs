// The package openid-client from registration to revocation, with every check that it can make switched on.
import * as oidc from "openid-client";
import { check, open, refusal, run } from "./program.mjs";

const NAME = "openid-client";
const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
const METHODS = {
  none: () => oidc.None(),
  client_secret_basic: (secret) => oidc.ClientSecretBasic(secret),
  client_secret_post: (secret) => oidc.ClientSecretPost(secret),
};

// Registers, or says who it is.
async function configure(told, redirect) {
  const server = new URL(told.issuer);
  const options = { algorithm: told.algorithm ?? "oidc", execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] };
  const method = told.method ?? "none";
  const metadata = { token_endpoint_auth_method: method, ...told.metadata };
  const key = told.key && (await imported(told.key.private));
  const proof = key ? oidc.PrivateKeyJwt(key) : METHODS[method](told.fixed?.client_secret);
  const id = told.document ?? told.fixed?.client_id;
  if (id) return oidc.discovery(server, id, { ...metadata, client_secret: told.fixed?.client_secret }, proof, options);
  const asked = { client_name: NAME, redirect_uris: [redirect], ...metadata, ...(key && { jwks: { keys: [told.key.public] } }) };
  return oidc.dynamicClientRegistration(server, asked, key ? proof : undefined, options);
}

// A key as the package takes it.
async function imported(jwk) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return { key: await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]), kid: jwk.kid };
}

const grants = {
  async code(config, { told, callback, resource, DPoP }) {
    const verifier = oidc.randomPKCECodeVerifier();
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const parameters = {
      redirect_uri: callback.uri,
      scope: told.scope,
      resource,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    };
    const build = told.pushed ? oidc.buildAuthorizationUrlWithPAR : oidc.buildAuthorizationUrl;
    open(await build(config, parameters, { DPoP }));
    const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
    return oidc.authorizationCodeGrant(config, await callback.next(), checks, { resource }, { DPoP });
  },
  async device(config, { told, resource, DPoP }) {
    const began = await oidc.initiateDeviceAuthorization(config, { scope: told.scope, resource });
    open(told.complete ? began.verification_uri_complete : began.verification_uri, began.user_code);
    return oidc.pollDeviceAuthorizationGrant(config, began, {}, { DPoP });
  },
  credentials: (config, { told, resource, DPoP }) =>
    oidc.clientCredentialsGrant(config, { scope: told.scope, resource }, { DPoP }),
};

// What the token opens.
async function use(config, told, token, DPoP) {
  const ask = (url, method, body) => {
    const headers = new Headers({ accept: "application/json, text/event-stream" });
    if (body) headers.set("content-type", "application/json");
    return oidc.fetchProtectedResource(config, token, new URL(url), method, body, headers, { DPoP });
  };
  const answer = told.resource === told.api ? await ask(`${told.api}/v1/auth/me`, "GET") : await ask(told.mcp, "POST", LIST);
  const text = await answer.text();
  check(answer.status === 200, `${answer.status} ${text}`);
  return JSON.parse(text);
}

await run(async (told, callback) => {
  const config = await configure(told, callback.uri);
  const resource = told.resource ?? told.mcp;
  const DPoP = told.dpop ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256")) : undefined;
  const first = await grants[told.grant ?? "code"](config, { told, callback, resource, DPoP });
  const used = await use(config, told, first.access_token, DPoP);
  const done = { client: config.clientMetadata(), first, used };
  if (first.id_token) done.claims = first.claims();
  if (first.scope.split(" ").includes("openid")) {
    done.user = await oidc.fetchUserInfo(config, first.access_token, first.claims()?.sub ?? oidc.skipSubjectCheck, { DPoP });
  }
  const asks = config.clientMetadata().token_endpoint_auth_method !== "none";
  if (asks) done.introspected = await oidc.tokenIntrospection(config, first.access_token);

  let last = first;
  if (first.refresh_token) {
    last = await oidc.refreshTokenGrant(config, first.refresh_token, { resource }, { DPoP });
    check(last.access_token !== first.access_token && last.refresh_token !== first.refresh_token, "the tokens are the same");
    await use(config, told, last.access_token, DPoP);
    if (DPoP && !asks) {
      const other = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256"));
      done.stolen = await refusal(oidc.refreshTokenGrant(config, last.refresh_token, { resource }, { DPoP: other }));
    }
  }
  done.last = last;
  if (told.narrow) done.narrow = (await oidc.refreshTokenGrant(config, last.refresh_token, { scope: told.narrow })).scope;
  await oidc.tokenRevocation(config, last.access_token);
  done.refused = await refusal(use(config, told, last.access_token, DPoP));
  if (last.refresh_token) done.gone = await refusal(oidc.refreshTokenGrant(config, last.refresh_token, {}, { DPoP }));
  if (asks) done.over = await oidc.tokenIntrospection(config, last.access_token);
  return done;
});
