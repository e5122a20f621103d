"""/v1/vector_stores/{vector_store_id}/search, and what a store's files were read as."""

from runstead.domain import attribute_filter
from runstead.http.api import Api, Call
from runstead.http.store_files import require_open
from runstead.ports import Ranking
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.searching import SearchRanking, SearchResult, SearchResults, SearchVectorStore, StoreFileContent
from runstead.wire.searching import TextContent as Text

RESULTS = 10
"""API: results unless more or fewer are asked for."""


async def search_vector_store(api: Api, call: Call[SearchVectorStore]) -> SearchResults:
    """Search a vector store for chunks that fit a query, by meaning and by words."""
    id, body = VectorStoreId(call.path["vector_store_id"]), call.body
    filter = None if body.filters is None else attribute_filter.parse(body.filters)
    await require_open(api, id)
    await api.library.touch(id)
    texts = [body.query] if isinstance(body.query, str) else body.query
    if body.rewrite_query and api.rewriter is not None:
        texts = await api.rewriter.rewrite(texts)
    options = body.ranking_options or SearchRanking()
    found = await api.library.find(
        [id],
        texts,
        limit=body.max_num_results or RESULTS,
        ranking=Ranking(score_threshold=options.score_threshold),
        filter=filter,
        reranks=options.ranker != "none",
    )
    data = [
        SearchResult(
            file_id=FileId(each.hit.file_id),
            filename=each.filename,
            score=each.hit.score,
            attributes=dict(each.attributes),
            content=[Text(each.hit.text)],
        )
        for each in found
    ]
    return SearchResults(search_query=texts, data=data)


async def get_store_file_content(api: Api, call: Call[None]) -> StoreFileContent:
    """Retrieve the text that a file of a vector store was read as."""
    place = VectorStoreId(call.path["vector_store_id"]), FileId(call.path["file_id"])
    await api.store.get_store_file(*place)
    return StoreFileContent(data=[Text(chunk.text) for chunk in await api.library.contents(*place)])
