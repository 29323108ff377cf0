import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import prepare_skills
from llavaplus_graph.types import Box, SkillFailure, SkillResult, Texts, parse_result
from llavaplus_tools import read_text
from llavaplus_tools._backends.rapid import MOST_ELONGATED, Line, _padded, get_ready
from llavaplus_tools.reading import reading_order, upright_box


def sign(*lines: tuple[tuple[int, int], str], size: tuple[int, int] = (640, 320)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    for place, text in lines:
        ImageDraw.Draw(picture).text(place, text, fill="black", font=ImageFont.load_default(40))
    return picture


def test_a_sign_is_read_in_reading_order(ask: Callable[..., SkillResult]) -> None:
    result = ask(read_text, image=sign(((380, 150), "Ring bell"), ((40, 40), "OPEN DAILY"), ((40, 150), "9 am - 5 pm")))
    assert isinstance(result, Texts)
    assert result.texts == ("OPEN DAILY", "9 am - 5 pm", "Ring bell")
    assert result.content() == {"texts": ["OPEN DAILY", "9 am - 5 pm", "Ring bell"]}
    left, top, right, bottom = result.boxes[0]
    assert (left, top) == pytest.approx((40 / 640, 50 / 320), abs=0.05)
    assert right < 0.6 > bottom
    assert min(result.scores) > 0.8
    assert result.draw().width == 640


def test_another_sign_gives_another_text(ask: Callable[..., SkillResult]) -> None:
    assert ask(read_text, image=sign(((40, 40), "CLOSED"))).content() == {"texts": ["CLOSED"]}


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (3000, 2), (2, 3000)], ids=str)
def test_a_picture_without_text_gives_no_texts(ask: Callable[..., SkillResult], size: tuple[int, int]) -> None:
    assert ask(read_text, image=Image.new("RGB", size, "white")).content() == {"texts": []}


def test_reading_says_nothing_on_the_side(
    ask: Callable[..., SkillResult], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ask(read_text, image=Image.new("RGB", (64, 64)))
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_reader_of_ones_own_takes_the_place_of_the_default(tmp_path: Path) -> None:
    corners = np.array([[10, 10], [50, 10], [50, 20], [10, 20]], np.float32)
    lines = [Line(" below ", corners + 40, 0.5), Line("  ", corners, 0.9), Line("above", corners, 1.2)]
    tool = read_text(store=ImageStore(tmp_path), reader=lambda _: lines)
    message = tool.invoke(
        {"type": "tool_call", "id": "1", "name": "read_text", "args": {"image": Image.new("RGB", (100, 100))}}
    )
    result = parse_result(message.artifact)
    assert isinstance(result, Texts)
    assert (result.texts, result.scores) == (("above", "below"), (1.0, 0.5))


@pytest.mark.parametrize("image", ["missing.png", "latest", "https://example.org/sign.png", "img_0000000000000000"])
def test_what_is_no_picture_is_told(ask: Callable[..., SkillResult], image: str) -> None:
    assert isinstance(ask(read_text, image=image), SkillFailure)


def test_a_file_that_is_no_picture_is_told_by_its_name(ask: Callable[..., SkillResult], tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    result = ask(read_text, image=tmp_path / "notes.png")
    assert isinstance(result, SkillFailure)
    assert "neither PNG, JPEG nor WEBP" in result.error


@pytest.mark.parametrize(
    ("boxes", "order"),
    [
        pytest.param([(0.5, 0.1, 0.9, 0.2), (0.1, 0.12, 0.4, 0.21)], [1, 0], id="one line, slightly slanted"),
        pytest.param([(0.1, 0.5, 0.9, 0.6), (0.5, 0.1, 0.9, 0.2)], [1, 0], id="two lines"),
        pytest.param([(0.6, 0.1, 0.7, 0.5), (0.1, 0.12, 0.4, 0.16)], [1, 0], id="a tall text beside a small one"),
        pytest.param(
            [(0.1, 0.1, 0.2, 0.2), (0.8, 0.15, 0.9, 0.25), (0.1, 0.22, 0.2, 0.32)], [0, 1, 2], id="a staircase"
        ),
        pytest.param([], [], id="nothing"),
    ],
)
def test_reading_order(boxes: list[Box], order: list[int]) -> None:
    assert reading_order(boxes) == order


def test_a_box_never_leaves_the_picture_nor_vanishes() -> None:
    assert upright_box(np.array([[-5.0, 3.0], [500.0, 3.0]]), (100, 50)) == (0.0, 0.06, 1.0, 0.08)
    assert upright_box(np.array([[100.0, 50.0]]), (100, 50)) == (0.99, 0.98, 1.0, 1.0)


@pytest.mark.parametrize("shape", [(3, 16000, 3), (16000, 3, 3), (50, 40, 3)])
def test_thin_strips_are_padded_before_they_are_enlarged(shape: tuple[int, int, int]) -> None:
    height, width, _ = _padded(np.zeros(shape, np.uint8)).shape
    assert max(height, width) <= MOST_ELONGATED * min(height, width)
    assert max(height, width) == max(shape)


def test_the_reader_gets_ready_in_a_process_of_its_own_and_reads_nothing_there(
    ask: Callable[..., SkillResult],
) -> None:
    prepare_skills([read_text()])
    get_ready()
    result = ask(read_text, image=Image.new("RGB", (40, 40), "white"))
    assert result.content() == {"texts": []}
