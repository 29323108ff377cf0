"""Public doubles for tests of graphs, skills and chat models. Knows no weights and opens no connection by itself."""

from llavaplus_graph.testing.scripted import Request, Scripted, ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.testing.serving import ChatServer, Engine, ScriptedEngine, listening

__all__ = [
    "ChatServer",
    "Engine",
    "Request",
    "Scripted",
    "ScriptedEngine",
    "ScriptedLmm",
    "call",
    "listening",
    "plan",
    "scripted_skill",
]
