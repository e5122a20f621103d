//! A function of the application's own: the model asks for it, the application runs it, the run goes on.
#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::{env, error::Error, time::Duration};

use async_openai::{config::OpenAIConfig, types::assistants::*, Client};
use serde_json::{json, Value};

fn get_weather(arguments: &Value) -> String {
    json!({"city": arguments["city"], "degrees": 12, "sky": "clear"}).to_string()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("RUNSTEAD_URL").unwrap_or("http://127.0.0.1:8000/v1".to_string());
    let client = Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("any"));

    let function = FunctionObject {
        name: "get_weather".to_string(),
        description: Some("The weather of a city, now.".to_string()),
        parameters: Some(json!({
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]
        })),
        strict: None,
    };
    let request = CreateAssistantRequestArgs::default()
        .model("gpt-4o")
        .instructions("You know the weather.")
        .tools(vec![AssistantTools::Function(AssistantToolsFunction { function })])
        .build()?;
    let assistant = client.assistants().create(request).await?;
    let question = "What is the weather in Oslo?";
    let message = CreateMessageRequestArgs::default().role(MessageRole::User).content(question).build()?;
    let request = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
    let thread = client.threads().create(request).await?;

    let request = CreateRunRequestArgs::default().assistant_id(assistant.id).build()?;
    let threads = client.threads();
    let runs = threads.runs(&thread.id);
    let mut run = runs.create(request).await?;
    loop {
        match (&run.status, &run.required_action) {
            (RunStatus::Queued | RunStatus::InProgress, _) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                run = runs.retrieve(&run.id).await?;
            }
            (RunStatus::RequiresAction, Some(action)) => {
                let mut tool_outputs = Vec::new();
                for call in &action.submit_tool_outputs.tool_calls {
                    println!("The model calls {}({})", call.function.name, call.function.arguments);
                    let output = get_weather(&serde_json::from_str(&call.function.arguments)?);
                    tool_outputs.push(ToolsOutputs { tool_call_id: Some(call.id.clone()), output: Some(output) });
                }
                let outputs = SubmitToolOutputsRunRequest { tool_outputs, stream: None };
                run = runs.submit_tool_outputs(&run.id, outputs).await?;
            }
            _ => break,
        }
    }

    let answer = threads.messages(&thread.id).list().await?.data.remove(0);
    if let MessageContent::Text(part) = &answer.content[0] {
        println!("{}", part.text.value);
    }
    Ok(())
}
