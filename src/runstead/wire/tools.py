"""Tools an assistant may use, how a run is told to choose among them, and what they read."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

# The look-ahead keeps out a last newline, which `$` alone lets through.
FunctionName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+(?!\n)$")]


class RankingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How file search ranks; the threshold is required as soon as the object is given."""

    ranker: Literal["auto", "default_2024_08_21"] = "auto"
    score_threshold: Annotated[float, Meta(ge=0, le=1)]


class FileSearchOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Overrides of file search for one assistant or run."""

    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class FunctionDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A function of the client's; `parameters` is a JSON schema."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class CodeInterpreterTool(Struct, frozen=True, tag_field="type", tag="code_interpreter", forbid_unknown_fields=True):
    """Runs Python that the model writes."""


class FileSearchTool(
    Struct, frozen=True, tag_field="type", tag="file_search", forbid_unknown_fields=True, omit_defaults=True
):
    """Searches the vector stores of the assistant and the thread."""

    file_search: FileSearchOptions | None = None


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function", forbid_unknown_fields=True):
    """A function that the client runs."""

    function: FunctionDefinition


Tool = CodeInterpreterTool | FileSearchTool | FunctionTool
Tools = Annotated[list[Tool], Meta(max_length=128)]


class ChosenFunction(Struct, frozen=True, forbid_unknown_fields=True):
    """The name of the function a run must call."""

    name: FunctionName


class NamedToolChoice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Force one tool; `function` accompanies type `function` only."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: ChosenFunction | None = None

    def __post_init__(self) -> None:
        if self.type == "function" and self.function is None:
            raise ValueError("missing:function")


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice


class CodeInterpreterResources(Struct, frozen=True, forbid_unknown_fields=True):
    """Files the code interpreter finds in its folder."""

    file_ids: list[str] = []


class FileSearchResources(Struct, frozen=True, forbid_unknown_fields=True):
    """The vector store that file search reads."""

    vector_store_ids: list[str] = []


class ToolResources(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the built-in tools read. Absent members are left out, as the original does."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


class TextFormat(Struct, frozen=True, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Plain text."""


class JsonObjectFormat(Struct, frozen=True, tag_field="type", tag="json_object", forbid_unknown_fields=True):
    """Any JSON object."""


class JsonSchema(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named schema that the answer follows."""

    name: FunctionName
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(Struct, frozen=True, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    """JSON by a schema."""

    json_schema: JsonSchema


ResponseFormat = Literal["auto"] | TextFormat | JsonObjectFormat | JsonSchemaFormat
