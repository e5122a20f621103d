// An application that was written for the Assistants API. One line of it changed: the one that makes the client.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.RUNSTEAD_URL ?? "http://127.0.0.1:8000/v1", apiKey: "any" });

const { assistants, threads } = client.beta;
const assistant = await assistants.create({ model: "gpt-4o", name: "Tutor", instructions: "You answer in one sentence." });
const thread = await threads.create();
await threads.messages.create(thread.id, { role: "user", content: "What is a thread?" });
const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });

for await (const message of threads.messages.list(thread.id, { order: "asc" })) {
  console.log(`${message.role}: ${message.content[0].text.value}`);
}
console.log(`The run is ${run.status} and used ${run.usage.total_tokens} tokens.`);
