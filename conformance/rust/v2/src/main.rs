//! async-openai 0.41.3 with its `assistant`, `file` and `vectorstore` features, unchanged, against a server of version 2:
//! objects and stream events are deserialised by the crate's own types, which refuse what they do not know. It sends no
//! version header by itself.

#![allow(deprecated)] // The crate marks the API deprecated that it still ships.

use std::time::Duration;

use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::traits::RequestOptionsBuilder;
use async_openai::types::assistants::*;
use async_openai::types::files::{CreateFileRequestArgs, FileInput, FilePurpose, OpenAIFile, OpenAIFilePurpose};
use async_openai::types::vectorstores::*;
use async_openai::types::InputSource;
use async_openai::Client;
use futures::StreamExt;

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

const CALL: &str = r#"call get_weather {"city": "Oslo"}"#;
/// A model that speaks for twenty seconds, unless it is interrupted.
const SLOW: &str = "paced-50-400";

const NOTES: &str = "Oslo is cold in winter.";

/// What the server does not have where it runs.
#[derive(Debug)]
struct Missing(String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

struct App {
    client: Client<OpenAIConfig>,
}

/// Fails a check with what was found instead.
macro_rules! same {
    ($found:expr, $wanted:expr) => {
        match ($found, $wanted) {
            (found, wanted) if found == wanted => {}
            (found, wanted) => return Err(format!("line {}: {found:?} instead of {wanted:?}", line!()).into()),
        }
    };
}

mod built_in_tools;

use built_in_tools::*;

impl App {
    async fn assistant(&self, model: &str, tools: Vec<AssistantTools>) -> Result<AssistantObject, OpenAIError> {
        let request = CreateAssistantRequestArgs::default().model(model).tools(tools).build()?;
        self.client.assistants().create(request).await
    }

    async fn thread(&self, said: &str) -> Result<ThreadObject, OpenAIError> {
        let request = CreateThreadRequestArgs::default().messages(vec![user(said)?]).build()?;
        self.client.threads().create(request).await
    }

    /// The thread of a new scene, and the request of a run on it.
    async fn scene(
        &self,
        model: &str,
        said: &str,
        tools: Vec<AssistantTools>,
    ) -> Result<(ThreadObject, CreateRunRequest), OpenAIError> {
        let assistant = self.assistant(model, tools).await?;
        let thread = self.thread(said).await?;
        Ok((thread, CreateRunRequestArgs::default().assistant_id(assistant.id).build()?))
    }

    async fn start(&self, model: &str, said: &str, tools: Vec<AssistantTools>) -> Result<RunObject, OpenAIError> {
        let (thread, request) = self.scene(model, said, tools).await?;
        self.client.threads().runs(&thread.id).create(request).await
    }

    async fn polled(&self, mut run: RunObject, until: RunStatus) -> Result<RunObject, Failure> {
        for _ in 0..600 {
            if run.status == until {
                return Ok(run);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            run = self.client.threads().runs(&run.thread_id).retrieve(&run.id).await?;
        }
        Err(format!("still {:?}", run.status).into())
    }

    async fn file(&self) -> Result<OpenAIFile, OpenAIError> {
        let source = InputSource::VecU8 { filename: "notes.txt".to_string(), vec: NOTES.into() };
        let purpose = FilePurpose::Assistants;
        let request = CreateFileRequestArgs::default().file(FileInput { source }).purpose(purpose).build()?;
        self.client.files().create(request).await
    }

    /// A vector store whose files have been read.
    async fn store(&self, file_ids: Vec<String>) -> Result<VectorStoreObject, Failure> {
        let request = CreateVectorStoreRequestArgs::default().name("notes").file_ids(file_ids).build()?;
        let mut store = self.client.vector_stores().create(request).await?;
        for _ in 0..600 {
            if store.status == VectorStoreStatus::Completed {
                return Ok(store);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            store = self.client.vector_stores().retrieve(&store.id).await?;
        }
        Err(format!("still {:?}", store.status).into())
    }

    async fn messages(&self, thread_id: &str) -> Result<Vec<String>, OpenAIError> {
        let query = ListMessagesQueryArgs::default().order(ListMessagesOrder::Asc).build()?;
        let listed = self.client.threads().messages(thread_id).query(&query)?.list().await?;
        let text = |message: &MessageObject| match &message.content[0] {
            MessageContent::Text(part) => part.text.value.clone(),
            other => format!("{other:?}"),
        };
        Ok(listed.data.iter().map(text).collect())
    }
}

fn user(said: &str) -> Result<CreateMessageRequest, OpenAIError> {
    CreateMessageRequestArgs::default().role(MessageRole::User).content(said).build()
}

fn weather() -> AssistantTools {
    let function = FunctionObject {
        name: "get_weather".to_string(),
        description: Some("The weather of a city.".to_string()),
        ..Default::default()
    };
    AssistantTools::Function(AssistantToolsFunction { function })
}

fn outputs(run: &RunObject) -> Result<SubmitToolOutputsRunRequest, Failure> {
    let action = run.required_action.as_ref().ok_or("no required_action")?;
    let output = |call: &RunToolCallObject| ToolsOutputs {
        tool_call_id: Some(call.id.clone()),
        output: Some("sunny".to_string()),
    };
    let tool_outputs = action.submit_tool_outputs.tool_calls.iter().map(output).collect();
    Ok(SubmitToolOutputsRunRequest { tool_outputs, stream: None })
}

/// What a stream came to: its text, the arguments of its calls, and the last run that it told of.
async fn read(mut events: AssistantEventStream) -> Result<(String, String, RunObject), Failure> {
    let (mut text, mut arguments, mut last) = (String::new(), String::new(), None);
    while let Some(event) = events.next().await {
        match event? {
            AssistantStreamEvent::ThreadMessageDelta(message) => {
                for part in message.delta.content.unwrap_or_default() {
                    if let MessageDeltaContent::Text(part) = part {
                        text.push_str(&part.text.and_then(|text| text.value).unwrap_or_default());
                    }
                }
            }
            AssistantStreamEvent::ThreadRunStepDelta(step) => {
                if let DeltaStepDetails::ToolCalls(details) = step.delta.step_details {
                    for call in details.tool_calls.unwrap_or_default() {
                        if let RunStepDeltaStepDetailsToolCalls::Function(call) = call {
                            arguments.push_str(&call.function.and_then(|each| each.arguments).unwrap_or_default());
                        }
                    }
                }
            }
            AssistantStreamEvent::ThreadRunRequiresAction(run)
            | AssistantStreamEvent::ThreadRunCompleted(run)
            | AssistantStreamEvent::ThreadRunCancelled(run) => last = Some(run),
            AssistantStreamEvent::ErrorEvent(error) => return Err(format!("{error:?}").into()),
            _ => {}
        }
    }
    Ok((text, arguments, last.ok_or("the stream told of no end")?))
}

async fn assistants_are_created_changed_listed_and_deleted(app: &App) -> Outcome {
    let made = app.assistant("scripted", vec![weather(), AssistantTools::CodeInterpreter]).await?;
    same!(&app.client.assistants().retrieve(&made.id).await?, &made);
    let change = ModifyAssistantRequestArgs::default().name("Eve").build()?;
    same!(app.client.assistants().update(&made.id, change).await?.name, Some("Eve".to_string()));
    let listed = app.client.assistants().query(&[("limit", "100")])?.list().await?;
    same!(listed.data.iter().any(|each| each.id == made.id), true);
    same!(app.client.assistants().delete(&made.id).await?.deleted, true);
    Ok(())
}

async fn threads_and_messages_keep_what_was_said(app: &App) -> Outcome {
    let thread = app.thread("Hello").await?;
    let messages = app.client.threads();
    let messages = messages.messages(&thread.id);
    let made = messages.create(user("More")?).await?;
    same!(&messages.retrieve(&made.id).await?, &made);
    same!(app.messages(&thread.id).await?, ["Hello", "More"]);
    same!(messages.delete(&made.id).await?.deleted, true);
    same!(app.client.threads().retrieve(&thread.id).await?.object.as_str(), "thread");
    same!(app.client.threads().delete(&thread.id).await?.deleted, true);
    Ok(())
}

async fn a_run_is_polled_to_its_end(app: &App) -> Outcome {
    let run = app.start("scripted", "How are you?", vec![]).await?;
    same!((&run.status, run.instructions.as_str(), run.parallel_tool_calls), (&RunStatus::Queued, "", true));
    let run = app.polled(run, RunStatus::Completed).await?;
    same!(app.messages(&run.thread_id).await?, ["How are you?", "Echo: How are you?"]);
    same!(run.usage.is_some(), true);
    let threads = app.client.threads();
    let runs = threads.runs(&run.thread_id);
    same!(runs.list().await?.data, vec![run.clone()]);
    let step = runs.steps(&run.id).list().await?.data.remove(0);
    same!(&step.r#type, &RunStepType::MessageCreation);
    same!(runs.steps(&run.id).retrieve(&step.id).await?, step);
    Ok(())
}

async fn a_function_is_called_and_answered(app: &App) -> Outcome {
    let run = app.polled(app.start("scripted", CALL, vec![weather()]).await?, RunStatus::RequiresAction).await?;
    let threads = app.client.threads();
    let runs = threads.runs(&run.thread_id);
    let run = app.polled(runs.submit_tool_outputs(&run.id, outputs(&run)?).await?, RunStatus::Completed).await?;
    same!(app.messages(&run.thread_id).await?[1].as_str(), "The tool answered: sunny");
    let steps = runs.steps(&run.id).query(&[("order", "asc")])?.list().await?.data;
    match &steps[0].step_details {
        StepDetails::ToolCalls(details) => match &details.tool_calls[0] {
            RunStepDetailsToolCalls::Function(call) => {
                same!(call.function.output.as_deref(), Some("sunny"));
            }
            other => return Err(format!("{other:?}").into()),
        },
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}

async fn a_stream_tells_of_a_call_and_of_the_answer(app: &App) -> Outcome {
    let (thread, request) = app.scene("scripted", CALL, vec![weather()]).await?;
    let threads = app.client.threads();
    let runs = threads.runs(&thread.id);
    let (_, arguments, waiting) = read(runs.create_stream(request).await?).await?;
    same!((arguments.as_str(), &waiting.status), (r#"{"city": "Oslo"}"#, &RunStatus::RequiresAction));
    let (text, _, ended) = read(runs.submit_tool_outputs_stream(&waiting.id, outputs(&waiting)?).await?).await?;
    same!((text.as_str(), &ended.status), ("The tool answered: sunny", &RunStatus::Completed));
    Ok(())
}

async fn a_stream_creates_its_thread(app: &App) -> Outcome {
    let assistant = app.assistant("scripted", vec![]).await?;
    let thread = CreateThreadRequestArgs::default().messages(vec![user("Both")?]).build()?;
    let request = CreateThreadAndRunRequestArgs::default().assistant_id(assistant.id).thread(thread).build()?;
    let (text, _, ended) = read(app.client.threads().create_and_run_stream(request).await?).await?;
    same!((text.as_str(), &ended.status), ("Echo: Both", &RunStatus::Completed));
    Ok(())
}

async fn a_run_is_cancelled_while_it_streams(app: &App) -> Outcome {
    let (thread, request) = app.scene(SLOW, "Go on", vec![]).await?;
    let threads = app.client.threads();
    let runs = threads.runs(&thread.id);
    let mut events = runs.create_stream(request).await?;
    while let Some(event) = events.next().await {
        if let AssistantStreamEvent::ThreadMessageCreated(_) = event? {
            break;
        }
    }
    let run = runs.list().await?.data.remove(0);
    runs.cancel(&run.id).await?;
    same!(read(events).await?.2.status, RunStatus::Cancelled);
    Ok(())
}

async fn refusals_are_errors_of_the_api(app: &App) -> Outcome {
    match app.client.assistants().retrieve("asst_none").await {
        Err(OpenAIError::ApiError(error)) => {
            same!(error.api_error.message.as_str(), "No assistant found with id 'asst_none'.");
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let base = std::env::var("OPENAI_BASE_URL").expect("OPENAI_BASE_URL names the server");
    let config = OpenAIConfig::new().with_api_base(base).with_api_key("any");
    let app = App { client: Client::with_config(config) };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!("async-openai 0.41.3");
    macro_rules! check {
        ($($name:ident),*) => {$(
            let name = stringify!($name).replace('_', " ");
            match $name(&app).await {
                Ok(()) => { passed += 1; println!("ok: {name}"); }
                Err(error) if error.is::<Missing>() => { skipped += 1; println!("skipped: {name}: {error}"); }
                Err(error) => { failed += 1; println!("not ok: {name}: {error}"); }
            }
        )*};
    }
    check!(
        assistants_are_created_changed_listed_and_deleted,
        threads_and_messages_keep_what_was_said,
        a_run_is_polled_to_its_end,
        a_function_is_called_and_answered,
        a_stream_tells_of_a_call_and_of_the_answer,
        a_stream_creates_its_thread,
        a_run_is_cancelled_while_it_streams,
        files_and_vector_stores_are_objects,
        code_is_a_step_with_logs_a_picture_and_a_file,
        a_search_is_a_step_with_results_and_citations,
        refusals_are_errors_of_the_api
    );
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    std::process::exit(i32::from(failed > 0));
}
