// What the `openai` package for Node gets from a hub, as one line of JSON: node ask.mjs FOLDER BASE_URL MODEL SOURCES.
// The key is in OPENAI_API_KEY, where that package looks for it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, baseURL, model, withSources] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(createRequire(`${folder}/package.json`).resolve("openai")));
const client = new OpenAI({ baseURL, maxRetries: 0 });
const messages = [{ role: "user", content: "What do grey herons eat?" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code };
  }
}

const told = { models: [], pieces: "" };
for await (const listed of client.models.list()) told.models.push(listed.id);
const whole = await client.chat.completions.create({
  model: withSources,
  messages,
  syfthub: { similarity_threshold: 0 },
});
told.answer = whole.choices[0].message.content;
told.cited = whole.syfthub.citations["1"].slug;
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
  told.pieces += chunk.choices[0]?.delta?.content ?? "";
}
const called = await client.chat.completions.create({ model, messages, tools });
told.tool = called.choices[0].message.tool_calls[0].function.name;
told.unknown = await refusal(client.chat.completions.create({ model: "librarian/nothing", messages }));
const stranger = new OpenAI({ baseURL, apiKey: "syft_pat_wrong", maxRetries: 0 });
told.stranger = await refusal(stranger.models.list());
process.stdout.write(`${JSON.stringify(told)}\n`);
