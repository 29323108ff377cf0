import time

import pytest

from llavaplus_graph.data.deadline import OverdueError, invoke_in_time
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import SkillResult, Tags


def test_a_skill_is_not_waited_for_beyond_its_deadline() -> None:
    def sleepy(**arguments: object) -> SkillResult:
        time.sleep(5)
        return Tags(tags=(), scores=())

    begin = time.monotonic()
    with pytest.raises(OverdueError, match=r"tag_image: more than 0\.1 s"):
        invoke_in_time(scripted_skill("tag_image", sleepy, deadline=0.1), {})
    assert time.monotonic() - begin < 4


def test_what_a_skill_returns_or_raises_comes_back() -> None:
    done = invoke_in_time(scripted_skill("tag_image", Tags(tags=("red",), scores=(1.0,))), {})
    assert done.content == '{"tags": "red"}'
    with pytest.raises(ZeroDivisionError, match="by zero"):
        invoke_in_time(scripted_skill("tag_image", ZeroDivisionError("by zero")), {})
