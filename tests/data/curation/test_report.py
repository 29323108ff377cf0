from llavaplus_graph.data.curation.filling import Outcome
from llavaplus_graph.data.curation.labelling import Spent
from llavaplus_graph.data.curation.report import Report, total
from llavaplus_graph.data.curation.spec import Prices

KEPT = Outcome("a-0", "a", "train", "a.png", "{}", spent=Spent(2, 0, 1000, 100))
HELD = Outcome("a-held-0", "a", "held_out", "b.png", "{}", spent=Spent(0, 2, 0, 0))


def test_every_sample_is_counted_once_and_some_examples_are_kept() -> None:
    report = Report()
    report.keep(KEPT)
    report.keep(HELD)
    for number in range(5):
        report.drop(Outcome(f"b-{number}", "b", "train", "a.png"), "it is empty", "")
    told = report.to_json()
    assert told["kept"] == 2
    assert told["tasks"] == {
        "a": {"train": 1, "held_out": 1, "dropped": {}},
        "b": {"train": 0, "held_out": 0, "dropped": {"it is empty": 5}},
    }
    assert told["examples"] == {"it is empty": ["b-0", "b-1", "b-2"]}


def test_cost_follows_the_prices_of_a_million_tokens() -> None:
    spent = total([KEPT, HELD])
    assert spent == Spent(2, 2, 1000, 100)
    assert Report(prices=Prices(input=2.0, output=10.0)).cost(spent) == 0.003
    assert Report().cost(spent) is None
    assert "cost" not in Report(spent=spent).to_json()["labeller"]["this_run"]
