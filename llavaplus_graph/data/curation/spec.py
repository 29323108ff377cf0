"""A spec: one YAML file that says which skills to make data for, out of which pictures, and who writes. Only reads it.

Every path in it is relative to the file itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    model_validator,
)

from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.data.validated import read_validated

Kind = Literal[
    "plain",
    "arguments",
    "knowledge",
    "generation",
    "editing",
    "visual_prompt",
    "composition",
    "absent",
    "chat",
    "mixed",
]
"""The families of skill use in the paper (arXiv 2311.05437, section 3 and appendix B), one word each."""


def _in_folder(value: Any, info: ValidationInfo) -> Any:  # Any: whatever a file holds
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError(f"{value!r} is no path")
    folder = (info.context or {}).get("folder", Path())
    return folder / value if isinstance(value, str) else value


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    return path


def _is_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"there is no folder {str(path)!r}")
    return path


def _is_labeller(text: str) -> str:
    if text != "grammar" and not re.fullmatch(r"[\w.]+:\w+", text):
        raise ValueError(f"it is grammar, module:factory, or keys with a 'model', not {text!r}")
    return text


Somewhere = Annotated[Path, BeforeValidator(_in_folder)]
File = Annotated[Somewhere, AfterValidator(_is_file)]
Folder = Annotated[Somewhere, AfterValidator(_is_folder)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w-]*$")]


class Strict(BaseModel):
    """A part of a spec: an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Coco(Strict):
    """Annotation files in the form of COCO."""

    instances: File
    captions: File | None = None


class Images(Strict):
    """Where pictures are and what is known of them.

    Attributes:
        folders: Where the files of pictures are looked for, in this order.
        contexts: JSON or JSON lines, see `llavaplus_graph.data.sources.contexts`.
        coco: Annotations in the form of COCO.
        most: Take so many pictures at most.
    """

    folders: tuple[Folder, ...] = ()
    contexts: File | None = None
    coco: Coco | None = None
    most: Annotated[int, Field(strict=True, ge=1)] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.contexts is None and self.coco is None:
            raise ValueError("it needs 'contexts' or 'coco', so that something is known of the pictures")
        return self


class Prices(Strict):
    """What a million tokens cost, in any currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class LabellerSpec(Strict):
    """A chat model behind an OpenAI-compatible interface.

    Attributes:
        model: Its name.
        base_url: The address up to `/v1`; by default OpenAI's.
        api_key_env: Name of the environment variable that holds the key; keys do not belong into files.
        temperature: How freely it writes, 0 to 2; None leaves it to the server.
        max_tokens: Of one reply.
        timeout: Seconds that one reply may take.
        method: How it is made to answer in JSON, as LangChain calls it.
        prices: For the cost that the report names.
    """

    model: str = Field(min_length=1)
    base_url: str | None = Field(default=None, pattern="^https?://")
    api_key_env: str = "OPENAI_API_KEY"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.9
    max_tokens: Annotated[int, Field(strict=True, ge=16)] = 1024
    timeout: Annotated[float, Field(gt=0)] = 120.0
    method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema"
    prices: Prices | None = None


class Example(Strict):
    """One sample made by hand; the labeller sees it as something it wrote itself.

    Attributes:
        context: What is known of the picture.
        question: What the user writes.
        arguments: Of every call, in order.
        result: Of every call; without it the example teaches questions only.
        answer: What the assistant says then.
    """

    context: ImageContext
    question: str
    arguments: tuple[dict[str, JsonValue], ...] = ()
    result: tuple[dict[str, JsonValue], ...] = ()
    answer: str = ""


class Task(Strict):
    """What to make: one way of using one skill, or several.

    Attributes:
        name: Names its records.
        kind: The family of skill use.
        skills: Names of installed skills, or Python files that make one; several for a composition, in order.
        records: How many samples are tried.
        about: What the questions should be about, a sentence for the labeller.
        intentions: Ways of asking, a phrase each; the labeller is told one, and some are held out.
        examples: Samples made by hand.
        phrasings: Authored questions for the offline grammar; by default those of the package for the skill.
        marks: What a visual prompt is; by default what the skill takes.
        at_once: A composition makes all its calls in one turn instead of one a round.
        of: The tasks that a mixed conversation draws its turns from.
        turns: How many questions a mixed conversation has.
    """

    name: Name
    kind: Kind
    skills: tuple[str, ...] = ()
    records: Annotated[int, Field(strict=True, ge=0)] = 0
    about: str = ""
    intentions: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    phrasings: File | None = None
    marks: Literal["box", "points"] | None = None
    at_once: bool = False
    of: tuple[Name, ...] = ()
    turns: Annotated[int, Field(strict=True, ge=2, le=12)] = 3

    @model_validator(mode="after")
    def _complete(self) -> Self:
        few, many = (2, 3) if self.kind == "composition" else (0, 0) if self.kind in ("chat", "mixed") else (1, 1)
        if not few <= len(self.skills) <= many:
            count = f"{few} to {many}" if few < many else {0: "no", 1: "exactly one"}[few]
            raise ValueError(f"a task of the kind {self.kind!r} takes {count} in 'skills', not {len(self.skills)}")
        if (self.kind == "mixed") != bool(self.of):
            raise ValueError("'of' names the tasks of a mixed conversation, and only a mixed one has it")
        return self


class Filters(Strict):
    """What is thrown away.

    Attributes:
        overlap: Share of common word triples from which two questions are the same; 1 keeps all but equal ones.
        alike: Whether questions are compared over the whole task or about the same picture only; by default the task
            where a chat model writes, and the picture where the grammar does.
        language: What questions and answers are written in, an ISO 639 code; None does not look.
        mentions: Words besides the skills' names that no question and no answer may hold.
        keep_failures: Keep samples whose skill failed; the answer then says so.
    """

    overlap: Share = 0.8
    alike: Literal["task", "picture"] | None = None
    language: str | None = "en"
    mentions: tuple[str, ...] = ()
    keep_failures: bool = False


class Spec(Strict):
    """Everything that `llavaplus curate` has to know to fill the four slots.

    Attributes:
        kind: Tells it from other files that the command takes.
        out: The folder to write to.
        images: Pictures and what is known of them.
        tasks: What to make.
        labeller: `grammar` (offline), a `module:factory` of any LangChain chat model, or a model's address.
        seed: Seeds every draw.
        held_out: Share of pictures, of ways of asking and of records that are kept for examinations.
        concurrency: How many samples are worked on at the same time.
        retries: How often a request that failed is sent again.
        wait: Seconds before the first retry; each further one waits twice as long.
        attempts: How often the labeller is asked for a reply that can be read.
        filters: What is thrown away.
    """

    kind: Literal["skills"]
    out: Somewhere
    images: Images
    tasks: tuple[Task, ...] = Field(min_length=1)
    labeller: Annotated[str, AfterValidator(_is_labeller)] | LabellerSpec = "grammar"
    seed: Annotated[int, Field(strict=True)] = 7
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.1
    concurrency: Annotated[int, Field(strict=True, ge=1, le=256)] = 8
    retries: Annotated[int, Field(strict=True, ge=0, le=20)] = 5
    wait: Annotated[float, Field(ge=0)] = 1.0
    attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = 2
    filters: Filters = Filters()

    @model_validator(mode="after")
    def _together(self) -> Self:
        names = [task.name for task in self.tasks]
        for task in self.tasks:
            if names.count(task.name) > 1:
                raise ValueError(f"two tasks have the name {task.name!r}")
            for other in task.of:
                if other not in names or self.task(other).kind == "mixed":
                    raise ValueError(f"the task {task.name!r} mixes {other!r}, which is no task with turns of its own")
        if not any(task.records for task in self.tasks):
            raise ValueError("no task asks for 'records'")
        return self

    def task(self, name: str) -> Task:
        """Give the task of a name that is known."""
        return next(task for task in self.tasks if task.name == name)


def load_spec(path: Path) -> Spec:
    """Read a spec.

    Raises:
        ConfigError: If it cannot be used; one sentence with file, line and key.
    """
    return read_validated(path, Spec)
