import json
import re
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.sources.contexts import ImageContext, read_contexts, with_pictures
from llavaplus_graph.data.sources.streaming import Tally

CUP = {"name": "cup", "box": [0.1, 0.2, 0.3, 0.4]}


def read(folder: Path, *bodies: Any, **options: Any) -> tuple[list[ImageContext], Tally]:
    path, tally = folder / "contexts.json", Tally()
    path.write_text(json.dumps(bodies), "utf-8")
    return list(read_contexts(path, tally=tally, **options)), tally


def test_what_is_known_of_a_picture_is_read_and_other_keys_are_passed_over(tmp_path: Path) -> None:
    (context,), _ = read(tmp_path, {"image": "a.png", "captions": ["A cup."], "objects": [CUP, CUP], "id": 3})
    assert (context.image, context.captions, context.names) == ("a.png", ("A cup.",), ("cup",))
    assert context.objects[0].box == (0.1, 0.2, 0.3, 0.4)


def test_boxes_are_in_pixels_where_the_size_is_known(tmp_path: Path) -> None:
    body = {"image": "a.png", "width": 200, "height": 100, "objects": [{"name": "cup", "box": [20, 20, 60, 140]}]}
    (context,), _ = read(tmp_path, body)
    assert context.objects[0].box == (0.1, 0.2, 0.3, 1.0)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("text", "it does not say what is on a picture: Input should be"),
        ({"image": "a.png", "objects": [{"name": "cup", "box": [0.5, 0.5, 0.2, 0.9]}]}, "objects.box: box .* x1 < x2"),
        ({"image": "a.png", "objects": [{"name": "cup"}]}, "objects.box: Field required"),
        ({"image": 3}, "image: Input should be a valid string"),
        ({"image": "a.png", "width": 0, "height": 9, "objects": [CUP]}, "ZeroDivisionError"),
        ({"image": "a.png", "width": 9, "height": 9, "objects": [{"name": "x"}]}, "KeyError"),
    ],
)
def test_broken_entries_are_counted_and_the_rest_is_kept(tmp_path: Path, broken: Any, reason: str) -> None:
    contexts, tally = read(tmp_path, broken, {"image": "b.png"})
    assert [context.image for context in contexts] == ["b.png"]
    ((told, count),) = tally.dropped.items()
    assert count == 1
    assert re.search(reason, told)


def test_no_more_than_wanted_are_read(tmp_path: Path) -> None:
    contexts, _ = read(tmp_path, *[{"image": f"{n}.png"} for n in range(9)], most=4)
    assert len(contexts) == 4


def test_contexts_without_their_picture_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    contexts, tally = read(tmp_path, {"image": "a.png"}, {"image": "b.png"}, {"prompt": "a castle"})
    left = list(with_pictures(iter(contexts), [tmp_path / "none", tmp_path], tally))
    assert [context.image for context in left] == ["a.png", ""]
    assert (tally.kept, dict(tally.dropped)) == (2, {"its picture is in none of the folders": 1})
