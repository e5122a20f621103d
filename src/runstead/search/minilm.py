"""all-MiniLM-L6-v2: texts in, vectors out. Loaded only by the child process that runs it.

The model was trained on 256 tokens and silently ignores what is beyond 512, so a text is cut into windows, each with a
vector of its own.
"""

import gzip
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

DIMENSIONS = 384
WINDOW = 256
"""Tokens, the two that frame every text among them."""
BATCH = 4
"""Windows at a time. More takes gigabytes and no less time."""
_BEGIN, _END = 101, 102


class MiniLM:
    """Safe to be used by several threads: each embeds with a core of its own."""

    def __init__(self, weights: Path) -> None:
        packed = (files("runstead.search") / "data" / "minilm_tokenizer.json.gz").read_bytes()
        self._tokenizer = Tokenizer.from_str(gzip.decompress(packed).decode())
        # It comes set to cut and to fill up at 128.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena keeps what the largest batch took.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> list[list[bytes]]:
        """For each text the vectors of its windows."""
        cut = [self._windows(text) for text in texts]
        # Windows of like length together: a batch is as long as its longest.
        places = sorted(
            ((i, j) for i, windows in enumerate(cut) for j in range(len(windows))),
            key=lambda place: len(cut[place[0]][place[1]]),
        )
        vectors: list[list[bytes]] = [[b""] * len(windows) for windows in cut]
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            for (i, j), vector in zip(batch, self._run([cut[i][j] for i, j in batch]), strict=True):
                vectors[i][j] = vector.tobytes()
        return vectors

    def embed_beginning(self, text: str) -> bytes:
        """The vector of a text's first window: what follows is no question."""
        vector: bytes = self._run(self._windows(text)[:1])[0].tobytes()
        return vector

    def _windows(self, text: str) -> list[list[int]]:
        tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        count = max(1, -(-len(tokens) // (WINDOW - 2)))
        # Evenly, or the last would be too short to mean anything.
        size = max(1, -(-len(tokens) // count))
        return [[_BEGIN, *tokens[i * size : (i + 1) * size], _END] for i in range(count)]

    def _run(self, windows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(map(len, windows))
        ids = np.zeros((len(windows), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, feeds)[0]
        # The mean of what the model thought at each token is the text's vector.
        means = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.ascontiguousarray(means / np.maximum(lengths, 1e-12), dtype="<f4")
        return unit
