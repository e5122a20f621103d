//! An application that was written for the Assistants API. What changed is the line that makes the client.
#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::{env, error::Error, time::Duration};

use async_openai::{config::OpenAIConfig, types::assistants::*, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("RUNSTEAD_URL").unwrap_or("http://127.0.0.1:8000/v1".to_string());
    let client = Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("any"));

    let request = CreateAssistantRequestArgs::default()
        .model("gpt-4o")
        .name("Tutor")
        .instructions("You answer in one sentence.")
        .build()?;
    let assistant = client.assistants().create(request).await?;
    let message = CreateMessageRequestArgs::default().role(MessageRole::User).content("What is a thread?").build()?;
    let request = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
    let thread = client.threads().create(request).await?;

    let request = CreateRunRequestArgs::default().assistant_id(assistant.id).build()?;
    let threads = client.threads();
    let runs = threads.runs(&thread.id);
    let mut run = runs.create(request).await?;
    while matches!(run.status, RunStatus::Queued | RunStatus::InProgress) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        run = runs.retrieve(&run.id).await?;
    }

    let mut messages = threads.messages(&thread.id).list().await?.data;
    messages.reverse();
    for message in messages {
        if let MessageContent::Text(part) = &message.content[0] {
            println!("{:?}: {}", message.role, part.text.value);
        }
    }
    let tokens = run.usage.map_or(0, |usage| usage.total_tokens);
    println!("The run is {:?} and used {tokens} tokens.", run.status);
    Ok(())
}
