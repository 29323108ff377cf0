"""The graph with the skills that are installed: what one makes, the next one finds."""

from pathlib import Path

import numpy as np
from langchain_core.messages import HumanMessage
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.skills import load_skills
from llavaplus_graph.testing import ScriptedLmm, call
from llavaplus_graph.types import Knowledge, Masks, Pictures, SceneMap
from llavaplus_tools import generate_from_layout, retrieve_knowledge, segment_scene
from llavaplus_tools._backends.lookalikes import LookalikeEmbedder
from llavaplus_tools.collection import Collection, Entry
from llavaplus_tools.protocols import Region

BALL = [0.53, 0.5, 0.79, 0.86]


def test_a_region_is_segmented_erased_and_the_new_picture_turned(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    skills = load_skills(only=["segment_region", "inpaint_region", "transform_image"], store=store)
    lmm = ScriptedLmm(
        [
            call("segment_region", boxes=[BALL]),
            call("inpaint_region", mask="latest"),
            call("transform_image", operation="rotate", parameters={"degrees": 90}),
            "Gone, and turned.",
        ]
    )
    app = create_llavaplus_graph(lmm, skills, store=store).compile()
    out = app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": store.put(sample("objects"))}])]})
    marked, erased, turned = results_of(out, store)
    assert isinstance(marked, Masks)
    assert isinstance(erased, Pictures)
    assert 0.03 < marked.masks[0].area < 0.1
    assert out["images"][1:] == [*erased.pictures, *turned.pictures]
    red, green, _ = erased.draw().getpixel((367, 280))  # type: ignore[misc]
    assert green > red
    assert turned.draw().size == (420, 560)


def test_a_new_picture_is_painted_over_the_scene_map_that_was_made_last(tmp_path: Path) -> None:
    def parser(picture: Image.Image) -> list[tuple[str, Region]]:
        return [("sky", np.ones((picture.height, picture.width), bool))]

    store = ImageStore(tmp_path)
    skills = [
        segment_scene(store=store, backend=parser),
        generate_from_layout(store=store, backend=lambda prompt, **pictures: pictures["layout"]),
    ]
    lmm = ScriptedLmm([call("segment_scene"), call("generate_from_layout", prompt="a blue sky"), "Here it is."])
    app = create_llavaplus_graph(lmm, skills, store=store).compile()
    out = app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": store.put(sample("objects"))}])]})
    scene, painted = results_of(out, store)
    assert isinstance(scene, SceneMap)
    assert isinstance(painted, Pictures)
    assert painted.draw().getpixel((5, 5)) == (6, 230, 230)
    assert out["images"][1:] == [*painted.pictures]


def test_what_is_known_about_a_picture_is_looked_up_with_its_source(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    handle = store.put(sample("objects"))
    vectors = LookalikeEmbedder()([store.get(handle)])
    known = Collection((Entry("ball.png", "A red ball.", "toys.txt"),), vectors, "lookalikes")
    lmm = ScriptedLmm([call("retrieve_knowledge"), "It is a red ball."])
    app = create_llavaplus_graph(lmm, [retrieve_knowledge(store=store, collection=known)], store=store).compile()
    out = app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": handle}])]})
    (found,) = results_of(out, store)
    assert isinstance(found, Knowledge)
    assert (found.entries[0].caption, found.entries[0].source) == ("A red ball.", "toys.txt")
    assert "toys.txt" in str(out["messages"])
