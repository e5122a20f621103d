//! async-openai 0.18.3, unchanged, against a server of version 1: every object is deserialised by the crate's own types,
//! which refuse what they do not know.

use std::collections::HashMap;
use std::time::Duration;

use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::*;
use async_openai::Client;
use serde_json::json;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const CALL: &str = r#"call get_weather {"city": "Oslo"}"#;
/// A model that speaks for twenty seconds, unless it is interrupted.
const SLOW: &str = "paced-50-400";

/// Code that leaves a file, says its link, and shows the smallest picture as notebooks show one; in JSON, as a call has it.
const CODE: &str = r#"call code_interpreter {"code": "class Dot:\n  def _repr_png_(self):\n    return bytes.fromhex('89504e470d0a1a0a0000000d4948445200000001000000010800000000' '3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082')\nopen('/mnt/data/out.csv', 'w').write('a,b')\nprint('sandbox:/mnt/data/out.csv')\nDot()"}"#;
const SEARCH: &str = r#"call file_search {"query": "winter in Oslo"}"#;
const NOTES: &str = "\"Oslo is cold in winter.\"";
const NO_SANDBOX: &str = "code_interpreter is not available on this server";

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

impl App {
    async fn assistant(&self, model: &str, tools: Vec<AssistantTools>) -> Result<AssistantObject, OpenAIError> {
        let request = CreateAssistantRequestArgs::default().model(model).tools(tools).build()?;
        self.client.assistants().create(request).await
    }

    async fn thread(&self, said: &str) -> Result<ThreadObject, OpenAIError> {
        let message = CreateMessageRequestArgs::default().role("user").content(said).build()?;
        let request = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
        self.client.threads().create(request).await
    }

    /// A run as its creation answers it. The crate sends every field, with explicit nulls.
    async fn start(&self, model: &str, said: &str, tools: Vec<AssistantTools>) -> Result<RunObject, OpenAIError> {
        let assistant = self.assistant(model, tools).await?;
        let thread = self.thread(said).await?;
        let request = CreateRunRequestArgs::default().assistant_id(assistant.id).build()?;
        self.client.threads().runs(&thread.id).create(request).await
    }

    async fn polled(&self, mut run: RunObject, until: &[RunStatus]) -> Result<RunObject, Box<dyn std::error::Error>> {
        for _ in 0..600 {
            if until.contains(&run.status) {
                return Ok(run);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            run = self.client.threads().runs(&run.thread_id).retrieve(&run.id).await?;
        }
        Err(format!("still {:?}", run.status).into())
    }

    async fn file(&self) -> Result<OpenAIFile, OpenAIError> {
        let source = InputSource::VecU8 { filename: "notes.txt".to_string(), vec: NOTES.into() };
        let request = CreateFileRequestArgs::default().file(FileInput { source }).purpose("assistants").build()?;
        self.client.files().create(request).await
    }

    /// A thread with one message that names a file.
    async fn thread_about(&self, file_id: &str, said: &str) -> Result<(ThreadObject, MessageObject), OpenAIError> {
        let thread = self.client.threads().create(CreateThreadRequestArgs::default().build()?).await?;
        let file_ids = vec![file_id.to_string()];
        let message = CreateMessageRequestArgs::default().role("user").content(said).file_ids(file_ids).build()?;
        let made = self.client.threads().messages(&thread.id).create(message).await?;
        Ok((thread, made))
    }

    async fn messages(&self, thread_id: &str) -> Result<Vec<String>, OpenAIError> {
        let listed = self.client.threads().messages(thread_id).list(&[("order", "asc")]).await?;
        let text = |message: &MessageObject| match &message.content[0] {
            MessageContent::Text(part) => part.text.value.clone(),
            MessageContent::ImageFile(_) => "an image".to_string(),
        };
        Ok(listed.data.iter().map(text).collect())
    }
}

fn code() -> AssistantTools {
    AssistantTools::Code(AssistantToolsCode { r#type: "code_interpreter".to_string() })
}

fn weather() -> AssistantTools {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let function = FunctionObject {
        name: "get_weather".to_string(),
        description: Some("The weather of a city.".to_string()),
        parameters: Some(parameters),
    };
    AssistantTools::Function(AssistantToolsFunction { r#type: "function".to_string(), function })
}

async fn assistants_are_created_changed_listed_and_deleted(app: &App) -> Outcome {
    let assistants = app.client.assistants();
    let made = app.assistant("scripted", vec![weather()]).await?;
    same!(&assistants.retrieve(&made.id).await?, &made);
    let change = ModifyAssistantRequestArgs::default().name("Eve").build()?;
    same!(assistants.update(&made.id, change).await?.name, Some("Eve".to_string()));
    let listed = assistants.list(&[("limit", "100")]).await?;
    same!(listed.data.iter().any(|each| each.id == made.id), true);
    same!(assistants.delete(&made.id).await?.deleted, true);
    Ok(())
}

async fn threads_and_messages_keep_what_was_said(app: &App) -> Outcome {
    let thread = app.thread("Hello").await?;
    let messages = app.client.threads();
    let messages = messages.messages(&thread.id);
    let more = CreateMessageRequestArgs::default().role("user").content("More").build()?;
    let made = messages.create(more).await?;
    let metadata = HashMap::from([("seen".to_string(), json!("yes"))]);
    let changed = messages.update(&made.id, ModifyMessageRequest { metadata: Some(metadata) }).await?;
    same!(&messages.retrieve(&made.id).await?, &changed);
    same!(app.messages(&thread.id).await?, ["Hello", "More"]);
    same!(app.client.threads().update(&thread.id, ModifyThreadRequest { metadata: None }).await?.id, thread.id.clone());
    same!(app.client.threads().retrieve(&thread.id).await?.object, "thread");
    same!(app.client.threads().delete(&thread.id).await?.deleted, true);
    Ok(())
}

async fn a_run_is_polled_to_its_end(app: &App) -> Outcome {
    let run = app.start("scripted", "How are you?", vec![]).await?;
    same!((&run.status, run.instructions.as_str()), (&RunStatus::Queued, ""));
    same!(run.expires_at.is_some(), true);
    let run = app.polled(run, &[RunStatus::Completed]).await?;
    same!((run.expires_at, run.completed_at.is_some()), (None, true));
    same!(app.messages(&run.thread_id).await?, ["How are you?", "Echo: How are you?"]);
    let threads = app.client.threads();
    let runs = threads.runs(&run.thread_id);
    let metadata = HashMap::from([("kept".to_string(), json!("yes"))]);
    let changed = runs.update(&run.id, ModifyRunRequest { metadata: Some(metadata) }).await?;
    same!(runs.list(&[("limit", "1")]).await?.data, vec![changed]);
    let steps = runs.steps(&run.id);
    let step = steps.list(&[("limit", "1")]).await?.data.remove(0);
    same!(&step.r#type, &RunStepType::MessageCreation);
    same!(steps.retrieve(&step.id).await?, step);
    Ok(())
}

async fn a_function_is_called_and_answered(app: &App) -> Outcome {
    let run = app.start("scripted", CALL, vec![weather()]).await?;
    let run = app.polled(run, &[RunStatus::RequiresAction]).await?;
    let calls = run.required_action.ok_or("no required_action")?.submit_tool_outputs.tool_calls;
    same!((calls[0].function.name.as_str(), calls[0].function.arguments.as_str()), ("get_weather", r#"{"city": "Oslo"}"#));
    let output = ToolsOutputsArgs::default().tool_call_id(calls[0].id.clone()).output("sunny").build()?;
    let threads = app.client.threads();
    let runs = threads.runs(&run.thread_id);
    let outputs = SubmitToolOutputsRunRequest { tool_outputs: vec![output] };
    let run = app.polled(runs.submit_tool_outputs(&run.id, outputs).await?, &[RunStatus::Completed]).await?;
    same!(app.messages(&run.thread_id).await?[1].as_str(), "The tool answered: sunny");
    let steps = runs.steps(&run.id).list(&[("order", "asc")]).await?.data;
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

async fn a_thread_and_a_run_are_created_in_one(app: &App) -> Outcome {
    let assistant = app.assistant("scripted", vec![]).await?;
    let message = CreateMessageRequestArgs::default().role("user").content("Both").build()?;
    let thread = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
    let request = CreateThreadAndRunRequestArgs::default().assistant_id(assistant.id).thread(thread).build()?;
    let run = app.client.threads().create_and_run(request).await?;
    let run = app.polled(run, &[RunStatus::Completed]).await?;
    same!(app.messages(&run.thread_id).await?[1].as_str(), "Echo: Both");
    Ok(())
}

async fn a_run_is_cancelled_while_the_model_speaks(app: &App) -> Outcome {
    let run = app.polled(app.start(SLOW, "Go on", vec![]).await?, &[RunStatus::InProgress]).await?;
    let stopping = app.client.threads().runs(&run.thread_id).cancel(&run.id).await?;
    let run = app.polled(stopping, &[RunStatus::Cancelled]).await?;
    same!(run.cancelled_at.is_some(), true);
    Ok(())
}

async fn files_are_objects_of_assistants_and_messages(app: &App) -> Outcome {
    let files = app.client.files();
    let made = app.file().await?;
    same!((made.purpose.clone(), made.bytes), (OpenAIFilePurpose::Assistants, NOTES.len() as u32));
    same!(&files.retrieve(&made.id).await?, &made);
    same!(files.list(&[("purpose", "assistants")]).await?.data.contains(&made), true);
    // The crate reads contents as JSON.
    same!(files.retrieve_content(&made.id).await?, "Oslo is cold in winter.");

    let assistant = app.assistant("scripted", vec![code()]).await?;
    let assistants = app.client.assistants();
    let attached = assistants.files(&assistant.id);
    let file = attached.create(CreateAssistantFileRequest { file_id: made.id.clone() }).await?;
    same!(&attached.retrieve(&made.id).await?, &file);
    same!(attached.list(&[("limit", "10")]).await?.data, vec![file]);
    same!(assistants.retrieve(&assistant.id).await?.file_ids, vec![made.id.clone()]);
    same!(attached.delete(&made.id).await?.deleted, true);

    let (thread, message) = app.thread_about(&made.id, "Look.").await?;
    same!(&message.file_ids, &vec![made.id.clone()]);
    let threads = app.client.threads();
    let messages = threads.messages(&thread.id);
    let found = messages.files(&message.id).list(&[("limit", "10")]).await?.data.remove(0);
    same!(messages.files(&message.id).retrieve(&made.id).await?, found);
    same!(files.delete(&made.id).await?.deleted, true);
    Ok(())
}

async fn code_is_a_step_with_logs_a_picture_and_a_file(app: &App) -> Outcome {
    let run = app.start("scripted", CODE, vec![code()]).await?;
    let run = app.polled(run, &[RunStatus::Completed, RunStatus::Failed]).await?;
    if let Some(error) = run.last_error.filter(|error| error.message.contains(NO_SANDBOX)) {
        return Err(Missing(error.message).into());
    }
    same!(run.status, RunStatus::Completed);
    let threads = app.client.threads();
    let steps = threads.runs(&run.thread_id).steps(&run.id).list(&[("order", "asc")]).await?.data;
    let StepDetails::ToolCalls(details) = &steps[0].step_details else { return Err(format!("{steps:?}").into()) };
    let RunStepDetailsToolCalls::Code(call) = &details.tool_calls[0] else { return Err(format!("{steps:?}").into()) };
    let [CodeInterpreterOutput::Log(log), CodeInterpreterOutput::Image(shown)] = &call.code_interpreter.outputs[..] else {
        return Err(format!("{:?}", call.code_interpreter.outputs).into());
    };
    same!(log.logs.trim(), "sandbox:/mnt/data/out.csv");
    let answer = threads.messages(&run.thread_id).list(&[("limit", "1")]).await?.data.remove(0);
    let [MessageContent::Text(text), MessageContent::ImageFile(picture)] = &answer.content[..] else {
        return Err(format!("{:?}", answer.content).into());
    };
    same!(&picture.image_file, &shown.image);
    let Some(MessageContentTextAnnotations::FilePath(link)) = text.text.annotations.first() else {
        return Err(format!("{:?}", text.text.annotations).into());
    };
    let file = app.client.files().retrieve(&link.file_path.file_id).await?;
    same!((file.filename.as_str(), file.purpose), ("out.csv", OpenAIFilePurpose::AssistantsOutput));
    same!(answer.file_ids.contains(&file.id), true);
    Ok(())
}

async fn a_search_is_a_retrieval_step_with_citations(app: &App) -> Outcome {
    let file = app.file().await?;
    let retrieval = AssistantTools::Retrieval(AssistantToolsRetrieval { r#type: "retrieval".to_string() });
    let assistant = app.assistant("scripted", vec![retrieval]).await?;
    let (thread, _) = app.thread_about(&file.id, SEARCH).await?;
    let threads = app.client.threads();
    let runs = threads.runs(&thread.id);
    let run = runs.create(CreateRunRequestArgs::default().assistant_id(assistant.id).build()?).await?;
    let run = app.polled(run, &[RunStatus::Completed]).await?;
    let steps = runs.steps(&run.id).list(&[("order", "asc")]).await?.data;
    let StepDetails::ToolCalls(details) = &steps[0].step_details else { return Err(format!("{steps:?}").into()) };
    let RunStepDetailsToolCalls::Retrieval(call) = &details.tool_calls[0] else { return Err(format!("{steps:?}").into()) };
    same!(call.r#type.as_str(), "retrieval");
    let answer = threads.messages(&thread.id).list(&[("limit", "1")]).await?.data.remove(0);
    let MessageContent::Text(text) = &answer.content[0] else { return Err(format!("{answer:?}").into()) };
    match text.text.annotations.first() {
        Some(MessageContentTextAnnotations::FileCitation(cited)) => {
            same!(&cited.file_citation.file_id, &file.id);
            same!(cited.file_citation.quote.is_empty(), false);
        }
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}

async fn refusals_are_errors_of_the_api(app: &App) -> Outcome {
    match app.client.assistants().retrieve("asst_none").await {
        Err(OpenAIError::ApiError(error)) => {
            same!(error.message, "No assistant found with id 'asst_none'.");
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
    println!("async-openai 0.18.3");
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
        a_thread_and_a_run_are_created_in_one,
        a_run_is_cancelled_while_the_model_speaks,
        files_are_objects_of_assistants_and_messages,
        code_is_a_step_with_logs_a_picture_and_a_file,
        a_search_is_a_retrieval_step_with_citations,
        refusals_are_errors_of_the_api
    );
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    std::process::exit(i32::from(failed > 0));
}
