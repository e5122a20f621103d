//! The answer on the terminal, word by word as the model says it.
#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::io::{stdout, Write};
use std::{env, error::Error};

use async_openai::{config::OpenAIConfig, types::assistants::*, Client};
use futures::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("RUNSTEAD_URL").unwrap_or("http://127.0.0.1:8000/v1".to_string());
    let client = Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("any"));

    let request = CreateAssistantRequestArgs::default().model("gpt-4o").instructions("You tell stories.").build()?;
    let assistant = client.assistants().create(request).await?;
    let question = "Tell me a very short one.";
    let message = CreateMessageRequestArgs::default().role(MessageRole::User).content(question).build()?;
    let request = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
    let thread = client.threads().create(request).await?;

    let request = CreateRunRequestArgs::default().assistant_id(assistant.id).build()?;
    let mut events = client.threads().runs(&thread.id).create_stream(request).await?;
    while let Some(event) = events.next().await {
        if let AssistantStreamEvent::ThreadMessageDelta(message) = event? {
            for part in message.delta.content.unwrap_or_default() {
                if let MessageDeltaContent::Text(part) = part {
                    print!("{}", part.text.and_then(|text| text.value).unwrap_or_default());
                    stdout().flush()?;
                }
            }
        }
    }
    println!();
    Ok(())
}
