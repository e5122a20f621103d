"""What is asked of a vector store, and what is found in it."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from runstead.wire.base import Body, FileId, Resource

Question = Annotated[str, Meta(min_length=1, max_length=32_768)]


class SearchRanking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hits are ranked. API: `none` leaves a reranker out."""

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0


class SearchVectorStore(Body, frozen=True, kw_only=True):
    """POST /vector_stores/{id}/search. `filters` nest, so they are read apart."""

    query: Question | Annotated[list[Question], Meta(min_length=1, max_length=32)]
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    ranking_options: SearchRanking | None = None
    rewrite_query: bool | None = None


class TextContent(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class SearchResult(Struct, frozen=True, kw_only=True):
    """A chunk that was found. API: `filename` here, `file_name` in run steps."""

    file_id: FileId
    filename: str
    score: float
    attributes: dict[str, str | int | float | bool]
    content: list[TextContent]


class SearchResults(Resource, frozen=True, kw_only=True):
    """Everything that was found: there is no second page."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool = False
    next_page: str | None = None


class StoreFileContent(Resource, frozen=True, kw_only=True):
    """What a file was read as, chunk by chunk."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[TextContent]
    has_more: bool = False
    next_page: str | None = None
