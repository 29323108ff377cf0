"""LLaVA-Plus as a LangGraph integration: the public names, loaded when first used so that importing costs nothing."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
    from llavaplus_graph.errors import LlavaPlusError, SkillError
    from llavaplus_graph.graph import create_llavaplus_graph, results_of
    from llavaplus_graph.images import ImageStore, default_store
    from llavaplus_graph.skills import load_skills

__version__ = "0.1.0"

__all__ = [
    "ChatLlavaPlus",
    "ImageStore",
    "LlavaPlusError",
    "SkillError",
    "create_llavaplus_graph",
    "default_store",
    "load_skills",
    "results_of",
    "user_message",
]

_HOME = {
    "ChatLlavaPlus": "chat_model",
    "ImageStore": "images",
    "LlavaPlusError": "errors",
    "SkillError": "errors",
    "create_llavaplus_graph": "graph",
    "default_store": "images",
    "load_skills": "skills",
    "results_of": "graph",
    "user_message": "chat_model",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'llavaplus_graph' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"llavaplus_graph.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
