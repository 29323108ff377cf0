"""The worked example of the guide, as it stands in the repository."""

from pathlib import Path

from llavaplus_graph.data.curation.pipeline import curate_spec
from llavaplus_graph.data.curation.spec import load_spec
from llavaplus_graph.data.record import read_records

EXAMPLE = Path(__file__).parents[3] / "examples" / "curation" / "spec.yaml"


def test_the_example_makes_data_of_every_task_and_runs_every_skill(tmp_path: Path) -> None:
    spec = load_spec(EXAMPLE).model_copy(update={"out": tmp_path})
    few = tuple(task.model_copy(update={"records": 1}) for task in spec.tasks)
    report = curate_spec(spec.model_copy(update={"tasks": few, "held_out": 0.0}), EXAMPLE.parent)
    assert {name: task.kept for name, task in report.tasks.items()} == {task.name: 1 for task in few}
    made = {record.unique_id: record for record in read_records(tmp_path / "train.jsonl")}
    called = [turn["actions"][0]["API_name"] for turn in made["erase-0"].conversations if turn.get("actions")]
    assert called == ["segment_region", "inpaint_region"]
    asked = [turn for turn in made["mix-0"].conversations if turn["from"] == "human"]
    assert len(asked) >= 3
    assert sum("<image>" in turn["value"] for turn in asked) == 1
