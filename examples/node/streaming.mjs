// The answer on the terminal, word by word as the model says it.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.RUNSTEAD_URL ?? "http://127.0.0.1:8000/v1", apiKey: "any" });

const { assistants, threads } = client.beta;
const assistant = await assistants.create({ model: "gpt-4o", instructions: "You tell stories." });
const thread = await threads.create({ messages: [{ role: "user", content: "Tell me a very short one." }] });

const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id });
stream.on("textDelta", (delta) => process.stdout.write(delta.value));
stream.on("textDone", () => process.stdout.write("\n"));
await stream.done();
