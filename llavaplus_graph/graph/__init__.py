"""Plan, act, answer: LLaVA-Plus as a LangGraph graph."""

from llavaplus_graph.graph.delegation import as_tool as as_tool
from llavaplus_graph.graph.graph import create_llavaplus_graph as create_llavaplus_graph
from llavaplus_graph.graph.state import InputState as InputState
from llavaplus_graph.graph.state import State as State
from llavaplus_graph.graph.state import results_of as results_of

__all__ = ["InputState", "State", "as_tool", "create_llavaplus_graph", "results_of"]
