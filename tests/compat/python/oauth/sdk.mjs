// The package @modelcontextprotocol/sdk with its own OAuth and its streamable HTTP, from sign-in to revocation.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError, auth, discoverOAuthServerInfo, refreshAuthorization } from "@modelcontextprotocol/sdk/client/auth.js";
import { createPrivateKeyJwtAuth } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check, open, refusal, run } from "./program.mjs";

const ME = { name: "sdk for TypeScript", version: "1" };

// What the package asks of a program, as its manual has it.
class Provider {
  constructor({ method = "none", document, fixed, key }, redirect) {
    Object.assign(this, { redirectUrl: redirect, client: fixed, clientMetadataUrl: document, asked: 0 });
    this.clientMetadata = {
      client_name: ME.name,
      redirect_uris: [redirect],
      token_endpoint_auth_method: method,
      ...(key && { jwks: { keys: [key.public] } }),
    };
    if (key) {
      this.addClientAuthentication = (...given) => {
        const id = this.client.client_id;
        return createPrivateKeyJwtAuth({ issuer: id, subject: id, privateKey: key.private, alg: key.private.alg })(...given);
      };
    }
  }
  state() {
    return "a state of this program";
  }
  clientInformation() {
    return this.client;
  }
  saveClientInformation(client) {
    this.client = client;
  }
  tokens() {
    return this.saved;
  }
  saveTokens(tokens) {
    this.saved = tokens;
  }
  redirectToAuthorization(url) {
    this.asked += 1;
    open(url);
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
}

await run(async (told, callback) => {
  const provider = new Provider(told, callback.uri);
  const url = new URL(told.mcp);
  const transport = () => new StreamableHTTPClientTransport(url, { authProvider: provider });
  // The first attempt ends with the person being sent away to sign in.
  const first = transport();
  const sent = await refusal(new Client(ME).connect(first));
  check(sent?.name === UnauthorizedError.name, `not sent to sign in: ${JSON.stringify(sent)}`);
  const back = await callback.next();
  check(back.searchParams.get("state") === "a state of this program", `the state is ${back.searchParams.get("state")}`);
  await first.finishAuth(back.searchParams.get("code"));

  const client = new Client(ME);
  await client.connect(transport());
  const result = await use(client, told);

  // What needs more is refused. The package refreshes then, which gives no more: a program forgets its tokens and asks.
  if (told.more) {
    const more = await refusal(client.callTool({ name: "publish_endpoint", arguments: told.more }));
    check(more?.code === 403 && provider.asked === 1, `not refused: ${JSON.stringify(more)}`);
    provider.saved = undefined;
    const sent = await auth(provider, { serverUrl: url, scope: "read write" });
    check(sent === "REDIRECT", `not asked for more: ${sent}`);
    await transport().finishAuth((await callback.next()).searchParams.get("code"));
    const made = await client.callTool({ name: "publish_endpoint", arguments: told.more });
    check(!made.isError, JSON.stringify(made));
  }
  await client.close();

  // An access token that is no good any more is renewed without anybody.
  const before = { ...provider.saved };
  const asked = provider.asked;
  provider.saved.access_token = `${before.access_token}x`;
  const again = new Client(ME);
  await again.connect(transport());
  await again.listTools();
  await again.close();
  const after = provider.saved;
  check(provider.asked === asked, "a refresh asked the person");
  check(after.access_token !== before.access_token && after.refresh_token !== before.refresh_token, "the tokens are the same");

  return { ...result, before, after, client: provider.client, revoked: await revoke(provider, after, url) };
});

async function use(client, told) {
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const found = await client.callTool({ name: "discover_syfthub_endpoints", arguments: {} });
  const progress = [];
  const answer = await client.callTool({ name: "chat_with_syfthub", arguments: told.question }, undefined, {
    onprogress: (step) => progress.push(step.progress),
  });
  const wrong = await client.callTool({ name: "get_endpoint", arguments: { path: "nobody/nothing" } });
  const resources = (await client.listResources()).resources.map((resource) => resource.uri);
  const read = (await client.readResource({ uri: told.notes })).contents.map((content) => content.text).join("\n");
  const prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
  const prompt = await client.getPrompt({ name: "ask", arguments: { query: "What do herons eat?" } });
  const completed = await client.complete({
    ref: { type: "ref/resource", uri: (await client.listResourceTemplates()).resourceTemplates[0].uriTemplate },
    argument: { name: "owner", value: "kee" },
  });
  return {
    tools,
    found: JSON.stringify(found),
    answer: JSON.stringify(answer),
    progress: progress.length,
    wrong: wrong.isError,
    resources,
    read,
    prompts,
    prompt: JSON.stringify(prompt),
    completed: completed.completion.values,
  };
}

// The package has no call that revokes; afterwards its own call to refresh is refused.
async function revoke(provider, tokens, url) {
  const { authorizationServerUrl, authorizationServerMetadata: metadata } = await discoverOAuthServerInfo(url);
  const headers = new Headers();
  const form = new URLSearchParams({ token: tokens.refresh_token, client_id: provider.client.client_id });
  const { client_id: id, client_secret: secret, token_endpoint_auth_method: method } = provider.client;
  if (provider.addClientAuthentication) await provider.addClientAuthentication(headers, form, metadata.token_endpoint, metadata);
  else if (method === "client_secret_basic") headers.set("Authorization", `Basic ${btoa(`${id}:${secret}`)}`);
  else if (secret) form.set("client_secret", secret);
  const answer = await fetch(metadata.revocation_endpoint, { method: "POST", headers, body: form });
  check(answer.status === 200, `revocation: ${answer.status} ${await answer.text()}`);
  return refusal(
    refreshAuthorization(authorizationServerUrl, {
      metadata,
      clientInformation: provider.client,
      refreshToken: tokens.refresh_token,
      addClientAuthentication: provider.addClientAuthentication,
    }),
  );
}
