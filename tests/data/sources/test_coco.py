import json
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.sources.coco import read_coco
from llavaplus_graph.data.sources.streaming import Tally
from llavaplus_graph.errors import DataError

IMAGES = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 200, "height": 100} for n in range(10)]
NOTES = [
    {"id": n, "image_id": n, "category_id": 18, "bbox": [20, 10, 40, 50], "segmentation": [[1, 2]]} for n in range(10)
]


def files(folder: Path, **changes: Any) -> tuple[Path, Path]:
    instances, captions = folder / "instances.json", folder / "captions.json"
    body = {"info": {}, "images": IMAGES, "annotations": NOTES, "categories": [{"id": 18, "name": "dog"}], **changes}
    instances.write_text(json.dumps(body), "utf-8")
    said = [{"image_id": n % 10, "caption": f" Caption {n}.\n"} for n in range(20)]
    captions.write_text(json.dumps({"images": IMAGES, "annotations": said}), "utf-8")
    return instances, captions


def test_captions_names_and_normalised_corners_come_together(tmp_path: Path) -> None:
    first, *rest = read_coco(*files(tmp_path))
    assert len(rest) == 9
    assert first.image == "000000000000.jpg"
    assert first.captions == ("Caption 0.", "Caption 10.")
    assert [(thing.name, thing.box) for thing in first.objects] == [("dog", (0.1, 0.1, 0.3, 0.6))]


def test_a_draw_of_pictures_is_the_same_every_time_and_another_seed_gives_another(tmp_path: Path) -> None:
    paths = files(tmp_path)
    drawn = [[context.image for context in read_coco(*paths, most=4, seed=seed)] for seed in (1, 1, 2)]
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1] == sorted(drawn[0])
    assert drawn[0] != drawn[2]


def test_boxes_that_cannot_be_are_counted(tmp_path: Path) -> None:
    flat = {"id": 99, "image_id": 0, "category_id": 18, "bbox": [20, 10, 0, 50]}
    strange = {"id": 98, "image_id": 0, "category_id": 77, "bbox": [20, 10, 5, 50]}
    tally = Tally()
    first = next(read_coco(*files(tmp_path, annotations=[flat, strange, *NOTES]), tally=tally))
    assert len(first.objects) == 1
    assert dict(tally.dropped) == {"its box or category cannot be": 2}


def test_a_file_that_is_no_file_of_instances_is_named(tmp_path: Path) -> None:
    instances, captions = files(tmp_path, images=[])
    with pytest.raises(DataError, match=r"instances\.json has no 'images'"):
        list(read_coco(instances))
    (tmp_path / "list.json").write_text("[1, 2]", "utf-8")
    with pytest.raises(DataError, match=r"list\.json has no 'images'"):
        list(read_coco(tmp_path / "list.json"))
    instances, _ = files(tmp_path, images=[{"id": 1}])
    with pytest.raises(DataError, match="image 1 has no 'id' or 'file_name'"):
        list(read_coco(instances, captions))
