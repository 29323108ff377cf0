"""The LMM as a LangChain chat model, and how a user's message with pictures and visual prompts is made."""

from llavaplus_graph.chat_model.chat import ChatLlavaPlus as ChatLlavaPlus
from llavaplus_graph.chat_model.user import user_message as user_message
