import time
from pathlib import Path

import pytest
from PIL import Image

from llavaplus_graph.data.curation.labelling import DroppedError
from llavaplus_graph.data.curation.running import Running, open_skills
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import PictureArguments, load_skills
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import SkillResult, Tags

NOTHING = Tags(tags=(), scores=())


def begun(folder: Path) -> tuple[Running, ImageStore]:
    Image.effect_noise((64, 64), 90).convert("RGB").save(folder / "a.png")
    store = ImageStore(folder / "store")
    return Running.on(ImageContext(image="a.png"), [folder / "none", folder], store), store


def test_a_mask_and_a_new_picture_are_there_for_the_next_skill(tmp_path: Path) -> None:
    running, store = begun(tmp_path)
    segment, erase = load_skills(only=["segment_region", "inpaint_region"], store=store)
    _, found = running.run(segment, {"boxes": [[0.2, 0.2, 0.6, 0.6]]})
    assert found == {"boxes": [[0.2, 0.2, 0.6, 0.6]]}
    action, made = running.run(erase, {"prompt": ""})
    assert made["pictures"] == ["image_2"]
    assert dict(action.params) == {"prompt": ""}
    assert len(running.pictures) == 2


def test_arguments_that_the_skill_refuses_come_back_as_its_sentence(tmp_path: Path) -> None:
    running, store = begun(tmp_path)
    (segment,) = load_skills(only=["segment_region"], store=store)
    _, content = running.run(segment, {"boxes": "everywhere"})
    assert "cannot be called like this" in content["error"]


def test_a_skill_that_hangs_is_given_up_and_the_next_call_does_not_wait_for_it(tmp_path: Path) -> None:
    running, _ = begun(tmp_path)
    naps = iter([5.0, 0.0])

    def sleepy(**arguments: object) -> SkillResult:
        time.sleep(next(naps))
        return NOTHING

    skill = scripted_skill("tag_image", sleepy, deadline=0.1)
    begin = time.monotonic()
    with pytest.raises(DroppedError, match="the skill took too long"):
        running.run(skill, {})
    assert running.run(skill, {})[1] == {"tags": ""}
    assert time.monotonic() - begin < 4


def test_a_skill_that_breaks_drops_the_sample(tmp_path: Path) -> None:
    running, _ = begun(tmp_path)
    with pytest.raises(DroppedError, match="the skill broke") as caught:
        running.run(scripted_skill("tag_image", ZeroDivisionError("by zero")), {})
    assert caught.value.detail == "tag_image: ZeroDivisionError: by zero"


def test_a_picture_that_is_not_there_or_damaged_drops_the_sample(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    with pytest.raises(DroppedError, match="in none of the folders"):
        Running.on(ImageContext(image="b.png"), [tmp_path], store)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(DroppedError, match="cannot be read"):
        Running.on(ImageContext(image="b.png"), [tmp_path], store)
    with pytest.raises(DroppedError, match="names a picture that is not there"):
        Running.on(ImageContext(), [], store).run(
            scripted_skill("tag_image", NOTHING, args_schema=PictureArguments), {}
        )


def test_a_skill_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no installed skill 'fly'"):
        open_skills(["fly"], tmp_path, ImageStore(tmp_path))
    with pytest.raises(ConfigError, match=r"there is no skill file .*fly\.py"):
        open_skills(["fly.py"], tmp_path, ImageStore(tmp_path))
