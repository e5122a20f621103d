//! Questions about documents: they are uploaded into a vector store, searched by the model, and cited in the answer.
#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::{env, error::Error, time::Duration};

use async_openai::types::files::{CreateFileRequestArgs, FileInput, FilePurpose};
use async_openai::types::vectorstores::{CreateVectorStoreRequestArgs, VectorStoreStatus};
use async_openai::types::{assistants::*, InputSource};
use async_openai::{config::OpenAIConfig, Client};

const NOTES: &str = "The office in Oslo is closed in July.\n\nThe office in Rome is closed in August.\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("RUNSTEAD_URL").unwrap_or("http://127.0.0.1:8000/v1".to_string());
    let client = Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("any"));

    let source = InputSource::VecU8 { filename: "handbook.txt".to_string(), vec: NOTES.into() };
    let request =
        CreateFileRequestArgs::default().file(FileInput { source }).purpose(FilePurpose::Assistants).build()?;
    let notes = client.files().create(request).await?;
    let request = CreateVectorStoreRequestArgs::default().name("Handbook").file_ids(vec![notes.id]).build()?;
    let mut store = client.vector_stores().create(request).await?;
    while store.status == VectorStoreStatus::InProgress {
        tokio::time::sleep(Duration::from_millis(200)).await;
        store = client.vector_stores().retrieve(&store.id).await?;
    }
    println!("{} of {} files can be searched.", store.file_counts.completed, store.file_counts.total);

    let searched =
        CreateAssistantToolFileSearchResources { vector_store_ids: Some(vec![store.id]), vector_stores: None };
    let request = CreateAssistantRequestArgs::default()
        .model("gpt-4o")
        .instructions("You answer from the handbook.")
        .tools(vec![AssistantTools::FileSearch(AssistantToolsFileSearch::default())])
        .tool_resources(CreateAssistantToolResources { code_interpreter: None, file_search: Some(searched) })
        .build()?;
    let assistant = client.assistants().create(request).await?;
    let question = "When is the office in Oslo closed?";
    let message = CreateMessageRequestArgs::default().role(MessageRole::User).content(question).build()?;
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

    let answer = threads.messages(&thread.id).list().await?.data.remove(0);
    if let MessageContent::Text(part) = &answer.content[0] {
        let mut value = part.text.value.clone();
        let mut sources = Vec::new();
        for annotation in &part.text.annotations {
            if let MessageContentTextAnnotations::FileCitation(cited) = annotation {
                let source = client.files().retrieve(&cited.file_citation.file_id).await?;
                sources.push(source.filename);
                value = value.replace(&cited.text, &format!(" [{}]", sources.len()));
            }
        }
        println!("{value}");
        for (place, source) in sources.iter().enumerate() {
            println!("[{}] {source}", place + 1);
        }
    }
    Ok(())
}
