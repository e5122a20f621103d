//! What the built-in tools need and leave behind: files, vector stores, their steps and the marks in an answer.

use super::*;

/// Code that leaves a file, says its link, and shows the smallest picture as notebooks show one; in JSON, as a call has it.
const CODE: &str = r#"call code_interpreter {"code": "class Dot:\n  def _repr_png_(self):\n    return bytes.fromhex('89504e470d0a1a0a0000000d4948445200000001000000010800000000' '3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082')\nopen('/mnt/data/out.csv', 'w').write('a,b')\nprint('sandbox:/mnt/data/out.csv')\nDot()"}"#;
const SEARCH: &str = r#"call file_search {"query": "winter in Oslo"}"#;
const NO_SANDBOX: &str = "code_interpreter is not available on this server";

pub async fn files_and_vector_stores_are_objects(app: &App) -> Outcome {
    let files = app.client.files();
    let made = app.file().await?;
    same!((&made.purpose, made.bytes), (&OpenAIFilePurpose::Assistants, NOTES.len() as u32));
    same!(&files.retrieve(&made.id).await?, &made);
    same!(files.list().await?.data.contains(&made), true);
    same!(files.content(&made.id).await?, NOTES);

    let stores = app.client.vector_stores();
    let store = app.store(vec![made.id.clone()]).await?;
    same!(stores.list().await?.data.contains(&store), true);
    let change = UpdateVectorStoreRequestArgs::default().name("papers").build()?;
    same!(stores.update(&store.id, change).await?.name.as_deref(), Some("papers"));
    let file = stores.files(&store.id).retrieve(&made.id).await?;
    same!((&file.status, file.usage_bytes > 0), (&VectorStoreFileStatus::Completed, true));
    same!(stores.files(&store.id).list().await?.data, vec![file]);
    let read = stores.files(&store.id).retrieve_file_content(&made.id).await?;
    same!(read.object.as_str(), "vector_store.file_content.page");
    let request = VectorStoreSearchRequestArgs::default().query("winter in Oslo").build()?;
    same!(stores.search(&store.id, request).await?.data[0].file_id.as_str(), made.id.as_str());

    let more = app.file().await?;
    let request = CreateVectorStoreFileBatchRequestArgs::default().file_ids(vec![more.id]).build()?;
    let batches = stores.file_batches(&store.id);
    let batch = batches.create(request).await?;
    same!(batches.retrieve(&batch.id).await?.file_counts.total, 1);
    same!(batches.list_files(&batch.id).await?.data.len(), 1);
    same!(stores.delete(&store.id).await?.deleted, true);
    same!(files.delete(&made.id).await?.deleted, true);
    Ok(())
}

pub async fn code_is_a_step_with_logs_a_picture_and_a_file(app: &App) -> Outcome {
    let file = app.file().await?;
    let assistant = app.assistant("scripted", vec![AssistantTools::CodeInterpreter]).await?;
    let tools = vec![MessageAttachmentTool::CodeInterpreter];
    let attachments = vec![MessageAttachment { file_id: file.id, tools }];
    let mut message = user(CODE)?;
    message.attachments = Some(attachments.clone());
    let request = CreateThreadRequestArgs::default().messages(vec![message]).build()?;
    let threads = app.client.threads();
    let thread = threads.create(request).await?;
    same!(threads.messages(&thread.id).list().await?.data[0].attachments.as_ref(), Some(&attachments));

    let runs = threads.runs(&thread.id);
    let request = CreateRunRequestArgs::default().assistant_id(assistant.id).build()?;
    let mut events = runs.create_stream(request).await?;
    let (mut input, mut last) = (String::new(), None);
    while let Some(event) = events.next().await {
        match event? {
            AssistantStreamEvent::ThreadRunStepDelta(step) => {
                if let DeltaStepDetails::ToolCalls(details) = step.delta.step_details {
                    for call in details.tool_calls.unwrap_or_default() {
                        if let RunStepDeltaStepDetailsToolCalls::CodeInterpreter(call) = call {
                            input.push_str(&call.code_interpreter.and_then(|each| each.input).unwrap_or_default());
                        }
                    }
                }
            }
            AssistantStreamEvent::ThreadRunFailed(run) | AssistantStreamEvent::ThreadRunCompleted(run) => last = Some(run),
            _ => {}
        }
    }
    let run = last.ok_or("the stream told of no end")?;
    if let Some(error) = run.last_error.filter(|error| error.message.contains(NO_SANDBOX)) {
        return Err(Missing(error.message).into());
    }
    let steps = runs.steps(&run.id).query(&[("order", "asc")])?.list().await?.data;
    let StepDetails::ToolCalls(details) = &steps[0].step_details else { return Err(format!("{steps:?}").into()) };
    let RunStepDetailsToolCalls::CodeInterpreter(call) = &details.tool_calls[0] else {
        return Err(format!("{steps:?}").into());
    };
    same!(&call.code_interpreter.input, &input);
    let [CodeInterpreterOutput::Logs(log), CodeInterpreterOutput::Image(shown)] = &call.code_interpreter.outputs[..] else {
        return Err(format!("{:?}", call.code_interpreter.outputs).into());
    };
    same!(log.logs.trim(), "sandbox:/mnt/data/out.csv");
    let answer = threads.messages(&thread.id).list().await?.data.remove(0);
    let [MessageContent::Text(text), MessageContent::ImageFile(picture)] = &answer.content[..] else {
        return Err(format!("{:?}", answer.content).into());
    };
    same!(&picture.image_file.file_id, &shown.image.file_id);
    let Some(MessageContentTextAnnotations::FilePath(link)) = text.text.annotations.first() else {
        return Err(format!("{:?}", text.text.annotations).into());
    };
    let made = app.client.files().retrieve(&link.file_path.file_id).await?;
    same!((made.filename.as_str(), made.purpose), ("out.csv", OpenAIFilePurpose::AssistantsOutput));
    Ok(())
}

pub async fn a_search_is_a_step_with_results_and_citations(app: &App) -> Outcome {
    let store = app.store(vec![app.file().await?.id]).await?;
    let searched = CreateAssistantToolFileSearchResources { vector_store_ids: Some(vec![store.id]), vector_stores: None };
    let request = CreateAssistantRequestArgs::default()
        .model("scripted")
        .tools(vec![AssistantTools::FileSearch(AssistantToolsFileSearch::default())])
        .tool_resources(CreateAssistantToolResources { code_interpreter: None, file_search: Some(searched) })
        .build()?;
    let assistant = app.client.assistants().create(request).await?;
    let thread = app.thread(SEARCH).await?;
    let threads = app.client.threads();
    let runs = threads.runs(&thread.id);
    let run = runs.create(CreateRunRequestArgs::default().assistant_id(assistant.id).build()?).await?;
    let run = app.polled(run, RunStatus::Completed).await?;
    let steps = runs.steps(&run.id).query(&[("order", "asc")])?.list().await?.data;
    let StepDetails::ToolCalls(details) = &steps[0].step_details else { return Err(format!("{steps:?}").into()) };
    let RunStepDetailsToolCalls::FileSearch(call) = &details.tool_calls[0] else { return Err(format!("{steps:?}").into()) };
    let results = call.file_search.results.as_ref().ok_or("no results")?;
    same!(results[0].file_name.as_str(), "notes.txt");
    let answer = threads.messages(&thread.id).list().await?.data.remove(0);
    let MessageContent::Text(text) = &answer.content[0] else { return Err(format!("{answer:?}").into()) };
    match text.text.annotations.first() {
        Some(MessageContentTextAnnotations::FileCitation(cited)) => {
            same!(&cited.file_citation.file_id, &results[0].file_id);
        }
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}
