"""File search: the passages that fit a query, as many as the model's window has room for."""

from collections.abc import Sequence

from msgspec.structs import replace

from runstead.domain import tokens
from runstead.domain.records import CallNotes
from runstead.domain.tool_turn import Performed
from runstead.ports import FoundPassage, Library
from runstead.tools.surroundings import Surroundings
from runstead.wire.run_steps import (
    FileSearch,
    FileSearchRanking,
    FileSearchResult,
    FileSearchText,
    FileSearchToolCall,
)
from runstead.wire.tools import FileSearchOptions, ToolResources
from runstead.wire.tools import FileSearchTool as FileSearchSetting

RANKER = "default_2024_08_21"
"""API: what `auto` stands for."""
RESULTS = 20
SETTLES_WITHIN = 60.0
"""Seconds a search waits for files of the thread's store that are still being read."""
BUDGET = 16_000
"""Tokens that the passages of one search may take. API: the original's figure."""
SHARE = 8
"""At most the window's eighth: a small model would have to read for a minute, and forget the question."""
BYTES_A_TOKEN = 3
NO_FILES = "There are no files to search: neither the assistant nor this conversation has a vector store."


class FileSearchTool:
    """Searches the vector stores of a run's assistant and thread together."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def perform(self, call: FileSearchToolCall, notes: CallNotes, around: Surroundings) -> Performed:
        """Search. Raises ToolFailed if that cannot be done now."""
        own = _stores(around.snapshot.record.run.tool_resources)
        of_thread = _stores(around.thread.tool_resources)
        stores = list(dict.fromkeys([*own, *of_thread]))
        options = _options(around)
        threshold = options.ranking_options.score_threshold if options.ranking_options else 0.0
        ranking = FileSearchRanking(RANKER, threshold)
        if not stores:
            searched = replace(call, file_search=FileSearch(ranking, []))
            return Performed(searched, replace(notes, is_done=True, error=NO_FILES))
        for store in of_thread:
            await self._library.settle(store, SETTLES_WITHIN)
        limit = options.max_num_results or RESULTS
        found = await self._library.search(stores, notes.query or "", limit=limit, score_threshold=threshold)
        results = [_result(passage) for passage in within(found, min(BUDGET, around.window // SHARE))]
        return Performed(replace(call, file_search=FileSearch(ranking, results)), replace(notes, is_done=True))


def within(found: Sequence[FoundPassage], budget: int) -> list[FoundPassage]:
    """The best passages that fit so many tokens together; the best of all is cut if even it does not."""
    left = budget * BYTES_A_TOKEN
    kept: list[FoundPassage] = []
    for passage in found:
        size = tokens.at_most(passage.text)
        if size > left:
            if not kept:
                kept.append(replace(passage, text=passage.text.encode()[:left].decode(errors="ignore")))
            break
        kept.append(passage)
        left -= size
    return kept


def _result(passage: FoundPassage) -> FileSearchResult:
    return FileSearchResult(
        file_id=passage.file_id,
        file_name=passage.file_name,
        score=passage.score,
        content=[FileSearchText(passage.text)],
    )


def _stores(resources: ToolResources) -> list[str]:
    return resources.file_search.vector_store_ids if resources.file_search else []


def _options(around: Surroundings) -> FileSearchOptions:
    for tool in around.snapshot.record.run.tools:
        if isinstance(tool, FileSearchSetting) and tool.file_search is not None:
            return tool.file_search
    return FileSearchOptions()
