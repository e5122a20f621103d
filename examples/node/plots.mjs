// Plots: a table is uploaded, and the model writes code that draws it and cleans it; picture and file are downloaded.

import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import OpenAI, { toFile } from "openai";

const rows = "month,sales\nJanuary,12\nFebruary,\nMarch,17\nApril,21\n";

const client = new OpenAI({ baseURL: process.env.RUNSTEAD_URL ?? "http://127.0.0.1:8000/v1", apiKey: "any" });

const table = await client.files.create({ file: await toFile(Buffer.from(rows), "sales.csv"), purpose: "assistants" });
const tools = [{ type: "code_interpreter" }];
const { assistants, threads } = client.beta;
const assistant = await assistants.create({ model: "gpt-4o", instructions: "You are an analyst.", tools });
const content = "Plot the sales of each month, and give me the table without its gaps.";
const thread = await threads.create({ messages: [{ role: "user", content, attachments: [{ file_id: table.id, tools }] }] });
const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
if (run.status !== "completed") {
  console.error(`The run is ${run.status}: ${run.last_error?.message ?? ""}`);
  process.exit(1);
}

const download = async (fileId) => {
  // Whatever a file is called, it is written here.
  const name = basename((await client.files.retrieve(fileId)).filename);
  await writeFile(name, Buffer.from(await (await client.files.content(fileId)).arrayBuffer()));
  console.log(`Downloaded ${name}`);
};

const { data } = await threads.messages.list(thread.id, { run_id: run.id });
for (const part of data[0].content) {
  if (part.type === "image_file") await download(part.image_file.file_id);
  if (part.type === "text") {
    console.log(part.text.value);
    for (const annotation of part.text.annotations) {
      if (annotation.type === "file_path") await download(annotation.file_path.file_id);
    }
  }
}
