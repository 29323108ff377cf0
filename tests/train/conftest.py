import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.curate import curate
from llavaplus_graph.data.recipe import Recipe, Shape, Stage, Tuning
from llavaplus_graph.protocol import V1
from llavaplus_graph.train.build import build_model, build_processor, export
from llavaplus_graph.train.vocabulary import train_tokenizer


class Log(logging.Handler):
    """What training reports, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def losses(self, stage: str) -> list[float]:
        found = (re.match(rf"{stage}: step \d+/\d+ loss ([\d.]+)", line) for line in self.lines)
        return [float(match.group(1)) for match in found if match]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model loses more by waiting for threads than it gains by them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def log() -> Iterator[Log]:
    logger, handler = logging.getLogger("llavaplus_graph.train"), Log()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="session")
def shape() -> Shape:
    """The smallest LMM that still sees."""
    return Shape(
        vocabulary=400,
        width=32,
        layers=1,
        heads=2,
        feed_forward=48,
        picture=32,
        patch=16,
        vision_width=16,
        vision_layers=2,
        vision_heads=2,
        vision_feed_forward=24,
    )


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory, shape: Shape) -> Recipe:
    """A recipe from nothing whose data are there: a stage of words and one of pictures, sixty and forty records."""
    words = Stage("words", 60, answer_drills=0.3, learning_rate=2e-2)
    seen = Stage("pictures", 40, sight_drills=0.3, pictured=0.9, learning_rate=1e-2)
    tuning = Tuning(tokens_per_step=800, save_steps=4, log_steps=1)
    recipe = Recipe(tmp_path_factory.mktemp("mini"), 5, 1, (words, seen), shape, tuning=tuning)
    curate(recipe)
    return recipe


Elsewhere = Callable[..., Recipe]


@pytest.fixture
def elsewhere(curated: Recipe, tmp_path: Path) -> Elsewhere:
    """Gives the curated recipe a run of its own, with only the stages that are named."""

    def at(name: str, *stages: str, **changes: Any) -> Recipe:
        out = tmp_path / name
        out.mkdir()
        (out / "data").symlink_to(curated.data)
        chosen = tuple(stage for stage in curated.stages if stage.name in stages)
        return replace(curated, out=out, stages=chosen, **changes)

    return at


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `records.json` as LLaVA-Plus releases it, two thirds of them with a picture, and `pictures`."""
    folder = tmp_path_factory.mktemp("released")
    (folder / "pictures").mkdir()
    records = []
    for index in range(12):
        name, pictured = f"{index:03d}.png", index % 3 < 2
        if pictured:
            Image.new("RGB", (40, 30), (20 * index, 90, 200)).save(folder / "pictures" / name)
        question = f"Where is cup {index}? Mark it."
        call = {"API_name": "grounding_dino", "API_params": {"caption": f"cup {index}"}}
        result = "grounding_dino model outputs: {'boxes': [[0.1, 0.2, 0.3, 0.4]]}"
        turns = [
            {"from": "human", "value": f"<image>\n{question}" if pictured else question},
            {"from": "gpt", "thoughts": "I need it.", "actions": [call], "value": "Please wait."},
            {"from": "human", "value": f"{result}\n\nPlease summarize the model outputs: {question}"},
            {"from": "gpt", "thoughts": "Thanks.", "actions": [], "value": f"Cup {index} is on the left."},
        ]
        shown = {"image": name} if pictured else {}
        records.append({"unique_id": f"r{index}", **shown, "conversations": turns})
    (folder / "records.json").write_text(json.dumps(records), "utf-8")
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, shape: Shape) -> Path:
    """A directory with an untrained LMM of the class of the 7B, in the dialect of the released one."""
    texts = [f"USER: Where is cup {index}? Mark it. ASSISTANT: Thanks. It is on the left.</s>" for index in range(40)]
    tokenizer = train_tokenizer([V1.system, *texts] * 4, ["grounding_dino"], 400)
    folder = tmp_path_factory.mktemp("base")
    export(build_model(shape, tokenizer, 3), build_processor(shape, tokenizer), folder)
    Dialect(template="v0", names="wire").save(folder)
    return folder
