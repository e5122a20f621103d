// Everything that an application does with the Assistants API, through one version of the official Node client:
// `node scenario.mjs 7.57.0` takes the one that is installed in the folder of that name. The server's model is the
// scripted one: without a script it echoes the last message, and makes a call that it is told to.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const version = process.argv[2];
const require = createRequire(fileURLToPath(new URL(`./${version}/package.json`, import.meta.url)));
const { OpenAI, NotFoundError, BadRequestError, toFile } = require("openai");

// The newest client takes ids of parents in an object after the id; the older ones take them first, in a row.
const isNewer = Number(version.split(".")[0]) >= 5;
const client = new OpenAI();
const { assistants, threads } = client.beta;
const { runs, messages } = threads;
const child = (method, threadId, id, body) =>
  isNewer ? method(id, { thread_id: threadId, ...body }) : body ? method(threadId, id, body) : method(threadId, id);
const remove = (resource, id) => (resource.delete ?? resource.del).call(resource, id);

const ENDED = ["completed", "failed", "cancelled", "expired", "incomplete"];
const CALL = 'call get_weather {"city": "Oslo"}';
const SLOW = "paced-50-400"; // speaks for twenty seconds, unless it is interrupted
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

// Leaves a file, says its link, and shows the smallest picture as notebooks show one.
const CODE = `
class Dot:
    def _repr_png_(self):
        return bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
            "3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
        )
open("/mnt/data/out.csv", "w").write("a,b")
print("sandbox:/mnt/data/out.csv")
Dot()
`;

class Missing extends Error {}

const scene = async (said = "Hello", assistant = {}) => [
  await assistants.create({ model: "scripted", ...assistant }),
  await threads.create({ messages: [{ role: "user", content: said }] }),
];
const retrieve = (run) => child(runs.retrieve.bind(runs), run.thread_id, run.id);
const polled = async (run, until = [...ENDED, "requires_action"]) => {
  for (let left = 600; !until.includes(run.status); left--) {
    assert(left > 0, `still ${run.status}`);
    await pause(50);
    run = await retrieve(run);
  }
  return run;
};
const outputs = (run, output = "sunny") =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({ tool_call_id: call.id, output }));
const submit = (method, run, more = {}) =>
  child(method, run.thread_id, run.id, { tool_outputs: outputs(run), ...more });
const answer = async (threadId) => (await messages.list(threadId)).data[0].content[0].text.value;
const all = async (pages) => {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
};

const checks = {
  async "an assistant is created, read, changed, listed and deleted"() {
    const made = await assistants.create({ model: "scripted", name: "Ada", tools: [WEATHER], metadata: { team: "blue" } });
    assert.deepEqual(await assistants.retrieve(made.id), made);
    assert.equal((await assistants.update(made.id, { name: "Eve" })).name, "Eve");
    const ids = (await all(assistants.list({ limit: 1, order: "asc" }))).map((each) => each.id);
    assert(ids.includes(made.id), "pages end before the last");
    assert((await remove(assistants, made.id)).deleted);
  },

  async "threads and messages keep what was said"() {
    const thread = await threads.create({ metadata: { topic: "test" } });
    const said = [];
    for (const content of ["One", "Two", "Three"]) said.push(await messages.create(thread.id, { role: "user", content }));
    const listed = (await all(messages.list(thread.id, { limit: 2 }))).map((each) => each.id);
    assert.deepEqual(listed, said.map((each) => each.id).reverse());
    const changed = await child(messages.update.bind(messages), thread.id, said[0].id, { metadata: { seen: "yes" } });
    assert.deepEqual(await child(messages.retrieve.bind(messages), thread.id, said[0].id), changed);
    assert((await remove(threads, thread.id)).deleted);
  },

  async "a run is polled to its end"() {
    const [assistant, thread] = await scene("How are you?");
    const run = await polled(await runs.create(thread.id, { assistant_id: assistant.id }));
    assert.equal(run.status, "completed");
    assert.equal(await answer(thread.id), "Echo: How are you?");
    const steps = isNewer ? runs.steps.list(run.id, { thread_id: thread.id }) : runs.steps.list(thread.id, run.id);
    assert.deepEqual((await all(steps)).map((step) => step.step_details.type), ["message_creation"]);
  },

  async "a function is called and answered"() {
    const [assistant, thread] = await scene(CALL, { tools: [WEATHER] });
    const run = await polled(await runs.create(thread.id, { assistant_id: assistant.id }));
    assert.equal(run.status, "requires_action");
    const done = await polled(await submit(runs.submitToolOutputs.bind(runs), run));
    assert.equal(done.status, "completed");
    assert.equal(await answer(thread.id), "The tool answered: sunny");
  },

  async "a run is cancelled while the model speaks"() {
    const [assistant, thread] = await scene("Go on", { model: SLOW });
    const run = await polled(await runs.create(thread.id, { assistant_id: assistant.id }), ["in_progress"]);
    const stopping = await child(runs.cancel.bind(runs), thread.id, run.id);
    assert.equal((await polled(stopping)).status, "cancelled");
  },

  async "the poll helpers wait for the end"() {
    const [assistant, thread] = await scene(CALL, { tools: [WEATHER] });
    const waiting = await runs.createAndPoll(thread.id, { assistant_id: assistant.id }, { pollIntervalMs: 20 });
    assert.equal(waiting.status, "requires_action");
    const method = runs.submitToolOutputsAndPoll.bind(runs);
    assert.equal((await submit(method, waiting)).status, "completed");
    const both = await threads.createAndRunPoll({ assistant_id: assistant.id }, { pollIntervalMs: 20 });
    assert.equal(both.status, "completed");
  },

  async "runs.stream tells of text, calls and the end"() {
    const [assistant, thread] = await scene(CALL, { tools: [WEATHER] });
    // The pieces, not the client's sum of them: 4.36 keeps only the first piece of a call.
    const heard = { events: [], called: "", arguments: "", text: "" };
    const begin = (runs.stream ?? runs.createAndStream).bind(runs);
    const first = begin(thread.id, { assistant_id: assistant.id });
    first.on("event", ({ event }) => heard.events.push(event));
    first.on("toolCallCreated", (call) => (heard.called += call.function.name));
    first.on("toolCallDelta", (delta) => (heard.arguments += delta.function.arguments));
    const waiting = await first.finalRun();
    assert.equal(waiting.status, "requires_action");
    assert.deepEqual([heard.called, heard.arguments], ["get_weather", '{"city": "Oslo"}']);
    const second = submit(runs.submitToolOutputsStream.bind(runs), waiting);
    second.on("textDelta", (delta) => (heard.text += delta.value));
    const [message] = await second.finalMessages();
    assert.equal((await second.finalRun()).status, "completed");
    assert.equal(heard.text, "The tool answered: sunny");
    assert.equal(message.content[0].text.value, heard.text);
    assert.equal(heard.events.at(-1), "thread.run.requires_action");
  },

  async "runs.stream tells of code and its picture"() {
    const said = `call code_interpreter ${JSON.stringify({ code: CODE })}`;
    const [assistant, thread] = await scene(said, { tools: [{ type: "code_interpreter" }] });
    const heard = { input: "", pictures: [] };
    const stream = (runs.stream ?? runs.createAndStream).call(runs, thread.id, { assistant_id: assistant.id });
    stream.on("toolCallDelta", (delta) => (heard.input += delta.code_interpreter.input ?? ""));
    stream.on("imageFileDone", (image) => heard.pictures.push(image.file_id));
    const run = await stream.finalRun();
    if (run.last_error?.message.includes("code_interpreter is not available")) throw new Missing(run.last_error.message);
    assert.equal(run.status, "completed");
    const [text, picture] = (await messages.list(thread.id)).data[0].content;
    assert.equal(heard.input, CODE);
    assert.deepEqual(heard.pictures, [picture.image_file.file_id]);
    const link = text.text.annotations[0];
    assert.equal(link.type, "file_path");
    assert.equal(await (await client.files.content(link.file_path.file_id)).text(), "a,b");
  },

  async "a stream creates its thread"() {
    const [assistant] = await scene();
    const events = await threads.createAndRun({
      assistant_id: assistant.id,
      thread: { messages: [{ role: "user", content: "New" }] },
      stream: true,
    });
    const names = (await all(events)).map((each) => each.event);
    assert.deepEqual([names[0], names.at(-1)], ["thread.created", "thread.run.completed"]);
    const stream = threads.createAndRunStream({ assistant_id: assistant.id });
    assert.equal((await stream.finalRun()).status, "completed");
  },

  async "a reader may leave; the run goes on"() {
    const [assistant, thread] = await scene("Still here?");
    const events = await runs.create(thread.id, { assistant_id: assistant.id, stream: true });
    for await (const { event } of events) if (event === "thread.message.created") break;
    const { data } = await runs.list(thread.id);
    assert.equal((await polled(data[0])).status, "completed");
    assert.equal(await answer(thread.id), "Echo: Still here?");
  },

  async "refusals are the errors that programs catch"() {
    const [assistant, thread] = await scene(CALL, { tools: [WEATHER] });
    const run = await polled(await runs.create(thread.id, { assistant_id: assistant.id }));
    await assert.rejects(assistants.retrieve("asst_none"), NotFoundError);
    await assert.rejects(messages.create(thread.id, { role: "user", content: "More" }), (error) => {
      assert(error instanceof BadRequestError);
      assert.match(error.message, /Can't add messages to thread_\w+ while a run run_\w+ is active\./);
      return true;
    });
    await child(runs.cancel.bind(runs), thread.id, run.id);
  },

  async "files are uploaded and read back"() {
    const file = await toFile(Buffer.from("Oslo is cold."), "notes.txt");
    let made;
    try {
      made = await client.files.create({ file, purpose: "assistants" });
    } catch (error) {
      if (error instanceof NotFoundError) throw new Missing("the server has no files");
      throw error;
    }
    assert.equal((await client.files.waitForProcessing(made.id)).status, "processed");
    assert.equal(await (await client.files.content(made.id)).text(), "Oslo is cold.");
    assert((await remove(client.files, made.id)).deleted);
  },

  async "a batch of files is uploaded and polled"() {
    const stores = client.vectorStores ?? client.beta.vectorStores;
    if (!stores) throw new Missing(`openai ${version} has no vector stores`);
    let store;
    try {
      store = await stores.create({ name: "notes" });
    } catch (error) {
      if (error instanceof NotFoundError) throw new Missing("the server has no vector stores");
      throw error;
    }
    const files = [await toFile(Buffer.from("Oslo is cold."), "notes.txt")];
    const batch = await stores.fileBatches.uploadAndPoll(store.id, { files });
    assert.deepEqual([batch.status, batch.file_counts.completed], ["completed", 1]);
    const file = () => toFile(Buffer.from("Rome is warm."), "more.txt");
    const [third, fourth] = [
      await client.files.create({ file: await file(), purpose: "assistants" }),
      await client.files.create({ file: await file(), purpose: "assistants" }),
    ];
    const read = [
      await stores.files.createAndPoll(store.id, { file_id: third.id }),
      await stores.files.uploadAndPoll(store.id, await file()),
      await stores.files.poll(store.id, (await stores.files.upload(store.id, await file())).id),
      await stores.fileBatches.createAndPoll(store.id, { file_ids: [fourth.id] }),
    ];
    assert.deepEqual(read.map((each) => each.status), Array(4).fill("completed"));
    assert((await remove(stores, store.id)).deleted);
  },
};

const sum = { passed: 0, failed: 0, skipped: 0 };
console.log(`openai-node ${version}`);
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    sum.passed++;
    console.log(`ok: ${name}`);
  } catch (error) {
    if (error instanceof Missing) {
      sum.skipped++;
      console.log(`skipped: ${name}: ${error.message}`);
    } else {
      sum.failed++;
      console.log(`not ok: ${name}: ${error.message?.split("\n")[0] ?? error}`);
      console.error(error);
    }
  }
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed ? 1 : 0);
