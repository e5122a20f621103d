// Questions about documents: they are uploaded into a vector store, searched by the model, and cited in the answer.

import OpenAI, { toFile } from "openai";

const notes = "The office in Oslo is closed in July.\n\nThe office in Rome is closed in August.\n";

const client = new OpenAI({ baseURL: process.env.RUNSTEAD_URL ?? "http://127.0.0.1:8000/v1", apiKey: "any" });

const store = await client.vectorStores.create({ name: "Handbook" });
const files = [await toFile(Buffer.from(notes), "handbook.txt")];
const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files }, { pollIntervalMs: 100 });
console.log(`${batch.file_counts.completed} of ${batch.file_counts.total} files can be searched.`);

const { assistants, threads } = client.beta;
const assistant = await assistants.create({
  model: "gpt-4o",
  instructions: "You answer from the handbook.",
  tools: [{ type: "file_search" }],
  tool_resources: { file_search: { vector_store_ids: [store.id] } },
});
const thread = await threads.create({ messages: [{ role: "user", content: "When is the office in Oslo closed?" }] });
const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });

const { data } = await threads.messages.list(thread.id, { run_id: run.id });
const { value, annotations } = data[0].content[0].text;
console.log(annotations.reduce((text, each, place) => text.replace(each.text, ` [${place + 1}]`), value));
for (const [place, { file_citation }] of annotations.entries()) {
  console.log(`[${place + 1}] ${(await client.files.retrieve(file_citation.file_id)).filename}`);
}
