"""Which files are searched, by their names.

A name only promises, so it refuses nothing but what is never text: what a file holds is seen when its text is taken out.
"""

from pathlib import PurePath

# API: the formats of the original, and after them ours. Its `doc` is not among them: no parser of ours reads it.
FORMATS = (
    *("c", "cpp", "cs", "css", "docx", "go", "html", "java", "js", "json"),
    *("md", "pdf", "php", "pptx", "py", "rb", "sh", "tex", "ts", "txt"),
    # EXT: from here on.
    *("csv", "tsv", "xlsx", "xls", "ods", "htm", "xhtml", "xml", "yaml", "yml", "toml", "ini", "log", "rst", "sql"),
    *("h", "hpp", "kt", "rs", "scala", "swift", "jsonl", "jsx", "tsx", "markdown", "text"),
)
NEVER_TEXT = frozenset(
    [
        *("bmp", "gif", "heic", "ico", "jpeg", "jpg", "png", "tif", "tiff", "webp"),
        *("aac", "avi", "flac", "m4a", "mkv", "mov", "mp3", "mp4", "mpeg", "ogg", "wav", "webm"),
        *("7z", "bz2", "gz", "jar", "rar", "tar", "tgz", "whl", "xz", "zip"),
        *("bin", "class", "db", "dll", "exe", "iso", "o", "parquet", "pickle", "pkl", "pyc", "so", "sqlite", "wasm"),
    ]
)


def extension(filename: str) -> str:
    """In lower case and without its dot; empty if there is none."""
    return PurePath(filename).suffix.removeprefix(".").lower()
