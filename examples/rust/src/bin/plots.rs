//! Plots: a table is uploaded, and the model writes code that draws it and cleans it; picture and file are downloaded.
#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::{env, error::Error, fs, path::Path, time::Duration};

use async_openai::types::files::{CreateFileRequestArgs, FileInput, FilePurpose};
use async_openai::types::{assistants::*, InputSource};
use async_openai::{config::OpenAIConfig, Client};

const TABLE: &str = "month,sales\nJanuary,12\nFebruary,\nMarch,17\nApril,21\n";
const QUESTION: &str = "Plot the sales of each month, and give me the table without its gaps.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("RUNSTEAD_URL").unwrap_or("http://127.0.0.1:8000/v1".to_string());
    let client = Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("any"));

    let source = InputSource::VecU8 { filename: "sales.csv".to_string(), vec: TABLE.into() };
    let request =
        CreateFileRequestArgs::default().file(FileInput { source }).purpose(FilePurpose::Assistants).build()?;
    let table = client.files().create(request).await?;

    let request = CreateAssistantRequestArgs::default()
        .model("gpt-4o")
        .instructions("You are an analyst.")
        .tools(vec![AssistantTools::CodeInterpreter])
        .build()?;
    let assistant = client.assistants().create(request).await?;
    let attachment = MessageAttachment { file_id: table.id, tools: vec![MessageAttachmentTool::CodeInterpreter] };
    let message = CreateMessageRequestArgs::default()
        .role(MessageRole::User)
        .content(QUESTION)
        .attachments(vec![attachment])
        .build()?;
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
    if run.status != RunStatus::Completed {
        let reason = run.last_error.map_or(String::new(), |error| error.message);
        return Err(format!("The run is {:?}: {reason}", run.status).into());
    }

    let answer = threads.messages(&thread.id).list().await?.data.remove(0);
    for part in answer.content {
        match part {
            MessageContent::ImageFile(part) => download(&client, &part.image_file.file_id).await?,
            MessageContent::Text(part) => {
                println!("{}", part.text.value);
                for annotation in part.text.annotations {
                    if let MessageContentTextAnnotations::FilePath(made) = annotation {
                        download(&client, &made.file_path.file_id).await?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

async fn download(client: &Client<OpenAIConfig>, file_id: &str) -> Result<(), Box<dyn Error>> {
    let file = client.files().retrieve(file_id).await?;
    // Whatever a file is called, it is written here.
    let name = Path::new(&file.filename).file_name().ok_or("a file without a name")?;
    fs::write(name, client.files().content(file_id).await?)?;
    println!("Downloaded {}", name.display());
    Ok(())
}
