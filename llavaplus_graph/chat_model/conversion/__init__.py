"""From the layout of the original LLaVA code to the one that Hugging Face and `ChatLlavaPlus` open."""

from llavaplus_graph.chat_model.conversion.convert import convert as convert

__all__ = ["convert"]
