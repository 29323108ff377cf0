"""``llavaplus ask`` with a scripted LMM: what is printed, what is written and what is remembered."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.cli.conversation import run_ask
from llavaplus_graph.cli.words import Asked
from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.testing import Scripted, ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Pictures, Texts

SIGN = str(sample("sign"))


def reader() -> BaseTool:
    def read(image: str) -> Texts:
        return Texts(image=image, texts=("CITY LIBRARY",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,))

    return scripted_skill("read_text", read)


def asked(tmp_path: Path, *pictures: str, question: str = "What does it say?") -> Asked:
    return Asked(question, pictures, save=tmp_path / "out", store=str(tmp_path / "store"))


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def ask(question: Asked, *replies: Scripted, skills: list[BaseTool] | None = None) -> ScriptedLmm:
    lmm = ScriptedLmm(replies)

    def make(asked: Asked, store: ImageStore) -> BaseChatModel:
        return lmm

    run_ask(question, make_model=make, skills=skills or [reader()])
    return lmm


def test_everything_is_told_in_the_order_it_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thanks = AIMessage("It says CITY LIBRARY.", additional_kwargs={"reasoning_content": "Thanks to read_text."})
    ask(asked(tmp_path, SIGN), call("read_text", thoughts="I should read it.", image="latest"), thanks)
    out, err = capsys.readouterr()
    file = tmp_path / "out" / "sign-turn1-read_text.png"
    assert out.splitlines() == [
        f"image_1   {SIGN}",
        "",
        "round 1",
        "  thoughts  I should read it.",
        '  action    read_text(image="latest")',
        '  result    read_text: {"texts": ["CITY LIBRARY"]}',
        "",
        "answer",
        "  thoughts  Thanks to read_text.",
        "  It says CITY LIBRARY.",
        "",
        "files",
        f"  {file}",
    ]
    assert "… running read_text" in err
    (width, height), (old_width, old_height) = size_of(file), size_of(Path(SIGN))
    assert width == old_width
    assert height >= old_height  # what the numbers stand for is written below


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(replace(asked(tmp_path, SIGN), as_json=True), call("read_text", thoughts="Hm."), "It says CITY LIBRARY.")
    document = json.loads(capsys.readouterr().out)
    file = str(tmp_path / "out" / "sign-turn1-read_text.png")
    assert document["question"] == "What does it say?"
    assert [(picture["name"], picture["file"]) for picture in document["pictures"]] == [("image_1", SIGN)]
    assert document["rounds"] == [
        {
            "thoughts": "Hm.",
            "actions": [{"skill": "read_text", "arguments": {}}],
            "results": [
                {"skill": "read_text", "status": "success", "content": {"texts": ["CITY LIBRARY"]}, "file": file}
            ],
        }
    ]
    assert (document["answer"], document["files"]) == ("It says CITY LIBRARY.", [file])


def test_a_thread_goes_on_after_the_process_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = replace(asked(tmp_path, SIGN), thread="my trip")
    ask(first, call("read_text"), "It says CITY LIBRARY.")
    lmm = ask(replace(first, pictures=(), question="Again?"), call("read_text"), "Still CITY LIBRARY.")
    texts = [message.text for message in lmm.requests[-1].messages if message.type == "human"]
    assert texts == ["What does it say?", "Again?"]
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["my_trip-turn1-read_text.png", "my_trip-turn2-read_text.png"]
    ask(replace(first, pictures=(str(sample("qr")),), question="And this?"), "A poster.")
    assert "image_2   " in capsys.readouterr().out


def test_edited_pictures_are_written_and_failures_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ImageStore(tmp_path / "store").put(Image.new("RGB", (5, 7), "blue"))
    rotated = Pictures(handles=(made,), message="The transform_image has processed the image.")
    skills = [scripted_skill("transform_image", rotated), scripted_skill("read_codes", SkillError("There is no code."))]
    calls = plan(*call("transform_image").tool_calls, *call("read_codes").tool_calls)
    ask(asked(tmp_path, SIGN), calls, "Rotated.", skills=skills)
    out = capsys.readouterr().out
    assert '  failure   read_codes: {"error": "There is no code."}' in out
    assert '"pictures": ["image_2"]' in out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["sign-turn1-transform_image.png"]
    assert size_of(tmp_path / "out" / "sign-turn1-transform_image.png") == (5, 7)


def test_an_answer_without_skills_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(asked(tmp_path, SIGN), "Hello.")
    assert "files" not in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_skills_return_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(asked(tmp_path, SIGN), call("read_text", image="\x1b[2J\x9b"), "Done\x1b[31m.")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x9b" not in out


def test_a_plan_that_could_not_be_used_is_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = AIMessage("[", response_metadata={"invalid_plan": "the actions are not a list of calls"})
    ask(asked(tmp_path, SIGN), broken, broken, "A sign.")
    out, err = capsys.readouterr()
    assert "  A sign." in out
    assert "a plan could not be used: the actions are not a list of calls" in err


def test_several_files_of_one_skill_are_numbered(tmp_path: Path) -> None:
    calls = plan(*call("read_text", id="a").tool_calls, *call("read_text", id="b").tool_calls)
    ask(asked(tmp_path, SIGN), calls, "Twice.")
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["sign-turn1-read_text-2.png", "sign-turn1-read_text.png"]


def test_boxes_and_points_reach_the_lmm(tmp_path: Path) -> None:
    marked = replace(asked(tmp_path, SIGN), boxes=((0.1, 0.2, 0.3, 0.4),), points=((0.5, 0.5),))
    lmm = ask(marked, "There.")
    text = lmm.requests[0].messages[0].text
    assert "The input boxes are: [[0.1, 0.2, 0.3, 0.4]]" in text
    assert "The input points are: [[0.5, 0.5]]" in text


def test_a_skill_file_is_called_like_the_installed_skills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mood.py"
    file.write_text(
        "from langchain_core.tools import BaseTool\n"
        "from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill\n"
        "from llavaplus_graph.types import Tags\n"
        "def judge_mood(*, store=None) -> BaseTool:\n"
        "    def run(image):\n"
        '        """Judge the mood of a picture."""\n'
        '        return Tags(tags=("calm",), scores=(1.0,))\n'
        '    return make_skill(run, SkillInfo("judge_mood"), PictureArguments)\n',
        encoding="utf-8",
    )
    ask(replace(asked(tmp_path, SIGN), skills=(file,)), call("judge_mood", image="latest"), AIMessage("It is calm."))
    assert 'judge_mood: {"tags": "calm"}' in capsys.readouterr().out
