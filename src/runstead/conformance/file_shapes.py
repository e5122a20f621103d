"""The tables of files and vector stores, as `shapes` has those of all else."""

from runstead.conformance.kinds import (
    Absent,
    Shape,
    anything,
    boolean,
    by_type,
    count,
    id_of,
    instant,
    list_of,
    mapping,
    metadata,
    nullable,
    number,
    one_of,
    shape,
    string,
)

COUNTS = shape(dict.fromkeys(("in_progress", "completed", "failed", "cancelled", "total"), count))
TEXTS = list_of(by_type(text={"text": string}))
PURPOSES = one_of(
    "assistants", "assistants_output", "batch", "batch_output", "fine-tune", "fine-tune-results", "vision", "user_data"
)
STATIC = shape({"max_chunk_size_tokens": count, "chunk_overlap_tokens": count})
FAILURE = shape({"code": one_of("server_error", "unsupported_file", "invalid_file"), "message": string})

FILE: Shape = {
    "id": id_of("file-"),
    "object": one_of("file"),
    "bytes": count,
    "created_at": instant,
    "filename": string,
    "purpose": PURPOSES,
    "status": one_of("uploaded", "processed", "error"),
    "status_details": Absent(nullable(string)),
    "expires_at": Absent(nullable(instant)),
}
ASSISTANT_FILE: Shape = {
    "id": id_of("file-"),
    "object": one_of("assistant.file"),
    "created_at": instant,
    "assistant_id": id_of("asst_"),
}
MESSAGE_FILE: Shape = {
    "id": id_of("file-"),
    "object": one_of("thread.message.file"),
    "created_at": instant,
    "message_id": id_of("msg_"),
}
STORE: Shape = {
    "id": id_of("vs_"),
    "object": one_of("vector_store"),
    "created_at": instant,
    "name": nullable(string),
    "usage_bytes": count,
    "file_counts": COUNTS,
    "status": one_of("expired", "in_progress", "completed"),
    "expires_after": Absent(nullable(shape({"anchor": one_of("last_active_at"), "days": count}))),
    "expires_at": Absent(nullable(instant)),
    "last_active_at": nullable(instant),
    "metadata": metadata,
}
STORE_FILE: Shape = {
    "id": id_of("file-"),
    "object": one_of("vector_store.file"),
    "usage_bytes": count,
    "created_at": instant,
    "vector_store_id": id_of("vs_"),
    "status": one_of("in_progress", "completed", "cancelled", "failed"),
    "last_error": nullable(FAILURE),
    "chunking_strategy": Absent(by_type(static={"static": STATIC}, other={})),
    "attributes": Absent(nullable(mapping)),
}
BATCH: Shape = {
    "id": id_of("vsfb_"),
    "object": one_of("vector_store.files_batch"),
    "created_at": instant,
    "vector_store_id": id_of("vs_"),
    "status": one_of("in_progress", "completed", "cancelled", "failed"),
    "file_counts": COUNTS,
}
SEARCH_RESULT: Shape = {
    "file_id": id_of("file-"),
    "filename": string,
    "score": number,
    "attributes": nullable(mapping),
    "content": TEXTS,
}
SEARCH_PAGE: Shape = {
    "object": one_of("vector_store.search_results.page"),
    "search_query": list_of(string),
    "data": list_of(shape(SEARCH_RESULT)),
    "has_more": boolean,
    "next_page": nullable(string),
}
CONTENT_PAGE: Shape = {
    "object": one_of("vector_store.file_content.page"),
    "data": list_of(anything),
    "has_more": Absent(boolean),
    "next_page": Absent(nullable(string)),
}

TABLES: dict[str, Shape] = {
    "file": FILE,
    "assistant.file": ASSISTANT_FILE,
    "thread.message.file": MESSAGE_FILE,
    "vector_store": STORE,
    "vector_store.file": STORE_FILE,
    "vector_store.files_batch": BATCH,
    "vector_store.search_results.page": SEARCH_PAGE,
    "vector_store.file_content.page": CONTENT_PAGE,
}
"""By what `object` says; the versions do not differ in what they have of these."""
