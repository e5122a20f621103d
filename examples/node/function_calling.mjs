// A function of the application's own: the model asks for it, the application runs it, the run goes on.

import OpenAI from "openai";

const functions = {
  get_weather: ({ city }) => JSON.stringify({ city, degrees: 12, sky: "clear" }),
};
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city, now.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

const client = new OpenAI({ baseURL: process.env.RUNSTEAD_URL ?? "http://127.0.0.1:8000/v1", apiKey: "any" });

const { assistants, threads } = client.beta;
const assistant = await assistants.create({ model: "gpt-4o", instructions: "You know the weather.", tools });
const thread = await threads.create({ messages: [{ role: "user", content: "What is the weather in Oslo?" }] });
let run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });

while (run.status === "requires_action") {
  const tool_outputs = run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    console.log(`The model calls ${call.function.name}(${call.function.arguments})`);
    return { tool_call_id: call.id, output: functions[call.function.name](JSON.parse(call.function.arguments)) };
  });
  run = await threads.runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs });
}

const { data } = await threads.messages.list(thread.id, { limit: 1 });
console.log(data[0].content[0].text.value);
