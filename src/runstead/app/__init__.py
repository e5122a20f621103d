"""The composition root: the only package that names an adapter."""

from runstead.app.ground import SystemClock
from runstead.app.inspection import (
    copy_blobs,
    copy_index,
    copy_store,
    inspect_blobs,
    inspect_bus,
    inspect_index,
    inspect_server,
    inspect_store,
)
from runstead.app.models import open_model, prepare_model, scripted_model, what_model_is_missing
from runstead.app.node import Node, Role, running
from runstead.app.sandboxes import ask_sandbox, prepare_sandbox, serve_sandbox, what_code_finds
from runstead.app.searching import open_embedder, what_search_is_missing

__all__ = [
    "Node",
    "Role",
    "SystemClock",
    "ask_sandbox",
    "copy_blobs",
    "copy_index",
    "copy_store",
    "inspect_blobs",
    "inspect_bus",
    "inspect_index",
    "inspect_server",
    "inspect_store",
    "open_embedder",
    "open_model",
    "prepare_model",
    "prepare_sandbox",
    "running",
    "scripted_model",
    "serve_sandbox",
    "what_code_finds",
    "what_model_is_missing",
    "what_search_is_missing",
]
