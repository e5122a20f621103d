"""The outside world, a page for each part of it. Promises are stated here; an adapter says only what is peculiar to it."""

from runstead.ports.blobs import Blobs, NoContents
from runstead.ports.bus import UNSAID, Bus, BusStopped, EventsLost, Tail
from runstead.ports.clock import Clock
from runstead.ports.desk import Desk, Seat
from runstead.ports.model import Model
from runstead.ports.sandbox import CodeFile, CodeFiles, CodeOutcome, Sandbox, SandboxUnavailable
from runstead.ports.search import (
    Embedder,
    Extractor,
    FoundPassage,
    Hit,
    Index,
    IndexedFile,
    Library,
    Passage,
    Query,
    Ranking,
    Reranker,
    Vector,
)
from runstead.ports.store import Page, PageRequest, Snapshot, Store

__all__ = [
    "UNSAID",
    "Blobs",
    "Bus",
    "BusStopped",
    "Clock",
    "CodeFile",
    "CodeFiles",
    "CodeOutcome",
    "Desk",
    "Embedder",
    "EventsLost",
    "Extractor",
    "FoundPassage",
    "Hit",
    "Index",
    "IndexedFile",
    "Library",
    "Model",
    "NoContents",
    "Page",
    "PageRequest",
    "Passage",
    "Query",
    "Ranking",
    "Reranker",
    "Sandbox",
    "SandboxUnavailable",
    "Seat",
    "Snapshot",
    "Store",
    "Tail",
    "Vector",
]
