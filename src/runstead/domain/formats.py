"""Which files can be searched, by their names.

A name only promises: what a file holds is seen when its text is taken out.
"""

from pathlib import PurePath
from types import MappingProxyType

# API: the formats of the original, and after them ours.
MIME_TYPES = MappingProxyType(
    {
        "c": "text/x-c",
        "cpp": "text/x-c++",
        "cs": "text/x-csharp",
        "css": "text/css",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "go": "text/x-golang",
        "html": "text/html",
        "java": "text/x-java",
        "js": "text/javascript",
        "json": "application/json",
        "md": "text/markdown",
        "pdf": "application/pdf",
        "php": "text/x-php",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "py": "text/x-python",
        "rb": "text/x-ruby",
        "sh": "application/x-sh",
        "tex": "text/x-tex",
        "ts": "application/typescript",
        "txt": "text/plain",
        # EXT: from here on.
        "csv": "text/csv",
        "tsv": "text/tab-separated-values",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xls": "application/vnd.ms-excel",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "htm": "text/html",
        "xhtml": "application/xhtml+xml",
        "xml": "application/xml",
        "yaml": "application/yaml",
        "yml": "application/yaml",
        "toml": "application/toml",
        "ini": "text/plain",
        "log": "text/plain",
        "rst": "text/x-rst",
        "sql": "application/sql",
        "h": "text/x-c",
        "hpp": "text/x-c++",
        "kt": "text/x-kotlin",
        "rs": "text/x-rust",
        "scala": "text/x-scala",
        "swift": "text/x-swift",
        "jsonl": "application/jsonl",
        "jsx": "text/javascript",
        "tsx": "application/typescript",
        "markdown": "text/markdown",
        "text": "text/plain",
    }
)


def extension(filename: str) -> str:
    """In lower case and without its dot; empty if there is none."""
    return PurePath(filename).suffix.removeprefix(".").lower()


def is_searchable(filename: str) -> bool:
    """Whether files of this name are worth reading. The original's `doc` is not: no parser of ours reads it."""
    return extension(filename) in MIME_TYPES
