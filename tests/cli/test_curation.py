import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from llavaplus_graph.cli.app import run

READ = {"name": "read", "kind": "plain", "skills": ["transform_image"], "records": 4}


def written(folder: Path, **changes: Any) -> str:
    Image.new("RGB", (32, 32), "red").save(folder / "a.png")
    lines = [{"image": "a.png", "captions": ["A red square."]}, {"image": "b.png", "captions": ["Gone."]}]
    (folder / "contexts.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    images = {"folders": ["."], "contexts": "contexts.jsonl"}
    body = {"kind": "skills", "out": "out", "images": images, "tasks": [READ], "held_out": 0.0, **changes}
    (folder / "spec.yaml").write_text(yaml.safe_dump(body), "utf-8")
    return str(folder / "spec.yaml")


def test_a_spec_of_skills_gives_data_and_says_what_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["curate", written(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "out")
    assert "1 pictures left out: its picture is in none of the folders" in err
    assert "labeller, this run: 0 requests" in err
    assert len((tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()) == 4


def test_a_spec_of_records_gives_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Hello."}]
    (tmp_path / "old.json").write_text(json.dumps([{"id": 1, "conversations": turns}, 7]), "utf-8")
    (tmp_path / "spec.yaml").write_text("kind: records\nout: out\nfiles: [old.json]\n", "utf-8")
    assert run(["curate", str(tmp_path / "spec.yaml")]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "out" / "records.jsonl")
    assert "1 records left out: it is not an object" in err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tasks": [{**READ, "kind": "reading"}]}, r"spec.yaml, line \d+: tasks.1.kind: Input should be 'plain', "),
        ({"tasks": [{**READ, "skills": ["read_text", "read_codes"]}]}, "takes exactly one in 'skills', not 2"),
        ({"tasks": [{**READ, "skills": ["fly"]}]}, "there is no installed skill 'fly'"),
        ({"tasks": [{**READ, "skills": ["own.py"]}]}, "there is no skill file"),
        ({"tasks": [READ, READ]}, "two tasks have the name 'read'"),
        ({"tasks": [{"name": "m", "kind": "mixed", "of": ["x"], "records": 1}]}, "the task 'm' mixes 'x', which is no"),
        ({"labeller": "nobody"}, "labeller: it is grammar, module:factory, or keys with a 'model', not 'nobody'"),
        ({"labeller": "nobody:make"}, "there is no labeller 'nobody:make'"),
        ({"labeller": {"model": "x", "api_key": "secret"}}, r"labeller.*api_key is a key that is not known there"),
        ({"images": {"folders": ["nowhere"], "contexts": "contexts.jsonl"}}, "there is no folder '.*nowhere'"),
        ({"images": {"folders": ["."]}}, "images: it needs 'contexts' or 'coco'"),
        ({"images": {"contexts": "contexts.jsonl"}}, "There are no pictures to make data of: 2 because its picture"),
        ({"held_out": 1.5}, "held_out: Input should be less than 1, not 1.5"),
        ({"concurrency": 0}, "concurrency: .*greater than or equal to 1, not 0"),
        ({"kind": "wishes"}, "the kind 'wishes' is not known; it is skills or records"),
        ({"colour": "red"}, r"colour is a key that is not known there"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], sentence: str
) -> None:
    assert run(["curate", written(tmp_path, **changes)]) == 2
    err = capsys.readouterr().err.strip()
    assert re.search(sentence, err), err
    assert "Traceback" not in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "must make exactly one skill"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        (
            "from llavaplus_graph.skills import *\nfrom llavaplus_graph.skills import PictureArguments\n"
            "tool = make_skill(lambda image: None, SkillInfo('odd'), PictureArguments)",
            "the skill 'odd' has no description",
        ),
        (
            "from llavaplus_graph.skills import *\nfrom llavaplus_graph.skills import PictureArguments\n"
            "tool = make_skill(lambda image: 1, SkillInfo('odd', ('sam',)), PictureArguments, description='Be odd.')",
            "the name 'sam' belongs to the skill segment_region",
        ),
    ],
)
def test_a_skill_file_that_is_none_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, sentence: str
) -> None:
    (tmp_path / "own.py").write_text(code, "utf-8")
    assert run(["curate", written(tmp_path, tasks=[{**READ, "skills": ["own.py"]}])]) == 2
    assert sentence in capsys.readouterr().err


def test_broken_yaml_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.yaml").write_text("kind: skills\nout: [\n", "utf-8")
    assert run(["curate", str(tmp_path / "spec.yaml")]) == 2
    assert "spec.yaml, line 3 is not YAML" in capsys.readouterr().err
    assert run(["curate", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml' cannot be read" in capsys.readouterr().err


def test_only_specs_of_skills_are_worked_on_by_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.yaml").write_text("kind: records\nout: out\nfiles: []\n", "utf-8")
    assert run(["curate", str(tmp_path / "spec.yaml"), "--engine", "ray"]) == 2
    assert "leave the option away" in capsys.readouterr().err
