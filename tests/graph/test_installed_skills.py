"""The graph with the skills that are installed: what one makes, the next one finds."""

from pathlib import Path

from langchain_core.messages import HumanMessage

from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.skills import load_skills
from llavaplus_graph.testing import ScriptedLmm, call
from llavaplus_graph.types import Masks, Pictures

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
