"""What `bind_tools` bound: which tools may be called, whether one must be, and the grammar that holds the LMM to it.

Knows LangChain's and OpenAI's ways of describing tools and choices; does not know what generates.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.grammar import Choice, ToolSpec, quoted, turn_grammar, turn_grammars
from llavaplus_graph.chat_model.grounding import answer_rules, held_arguments
from llavaplus_graph.chat_model.messages import Dialogue, written_name
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.protocol import Action

_CHOICES: dict[Any, Choice] = {
    None: "auto",
    "auto": "auto",
    False: "none",
    "none": "none",
    True: "any",
    "any": "any",
    "required": "any",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """The tools of one call.

    Attributes:
        functions: Name, description and JSON schema of every tool.
        choice: `auto` leaves it to the LMM whether to call, `any` forces a call, `none` forbids one.
        only: The one tool that must be called; None for any.
        parallel: Whether one turn may call several.
    """

    functions: Sequence[Mapping[str, Any]] = ()
    choice: Choice = "auto"
    only: str | None = None
    parallel: bool = True

    @classmethod
    def of(cls, tools: Sequence[Mapping[str, Any]], tool_choice: Any, parallel: bool) -> Self:
        """Read LangChain's and OpenAI's spellings.

        Args:
            tools: Tools as `specification` gives them.
            tool_choice: `auto`, `any`, `required`, `none`, a truth value, a name, or a mapping that holds a name.
            parallel: Whether one turn may call several.

        Raises:
            ConfigError: If `tool_choice` names a tool that is not bound.
        """
        functions = [tool["function"] for tool in tools]
        if isinstance(tool_choice, Mapping):
            tool_choice = (tool_choice.get("function") or {}).get("name") or tool_choice.get("name")
        if tool_choice in _CHOICES:
            return cls(functions, _CHOICES[tool_choice], None, parallel)
        binding = cls(functions, "any", str(tool_choice), parallel)
        if tool_choice not in binding.names:
            raise ConfigError(
                f"tool_choice names {tool_choice!r}, which is not bound; "
                f"bound are {', '.join(binding.names) or 'no tools'}, or use auto, any or none."
            )
        return binding

    @property
    def names(self) -> list[str]:
        """Names of the bound tools."""
        return [function["name"] for function in self.functions]

    def unwanted(self, actions: Sequence[Action]) -> str | None:
        """Say why calls must not be made; a grammar would not have let them come, free decoding does."""
        if actions and self.choice == "none":
            return f"a call of {actions[0].name} was planned although calls are forbidden"
        if len(actions) > 1 and not self.parallel:
            return f"several calls were planned ({len(actions)}) although one at a time was asked for"
        return None

    def grammars(self, dialogue: Dialogue, dialect: Dialect, *, grounded: bool, apart: bool = False) -> tuple[str, ...]:
        """Write the grammar of the next turn.

        Args:
            dialogue: The conversation; quotations come from it.
            dialect: Decides by which names tools are called.
            grounded: Hold the answer's numbers and quotations to the results, and numbers among the arguments of tools
                that the LMM has not learned to those of the conversation.
            apart: Give it as several that all have to be followed, for an engine that keeps those it has compiled.

        Raises:
            ConfigError: If two tools have the same name in this dialect.
        """
        tools = []
        for function in self.functions:
            schema = function.get("parameters") or {}
            if grounded and dialect.skills and function["name"] not in dialect.skills:
                schema = held_arguments(schema, dialogue.results, dialogue.instruction)
            tools.append(ToolSpec(written_name(function["name"], dialect), schema))
        for name, count in Counter(tool.name for tool in tools).items():
            if count > 1:
                same = [own for own in self.names if written_name(own, dialect) == name]
                raise ConfigError(f"The tools {' and '.join(same)} are both called {name!r} by this LMM; rename one.")
        options: dict[str, Any] = {
            "choice": self.choice,
            "instruction": dialogue.instruction,
            "parallel": self.parallel,
            "only_call": written_name(self.only, dialect) if self.only else None,
        }
        if grounded and dialogue.results:
            options["answer"] = answer_rules("answer", dialogue.results, dialogue.instruction)
        return turn_grammars(tools, **options) if apart else (turn_grammar(tools, **options),)


def specification(tool: Any) -> dict[str, Any]:
    """Describe a tool as OpenAI does, with the marks of quoted arguments, which LangChain's conversion leaves out."""
    spec = convert_to_openai_tool(tool)
    schema = getattr(tool, "args_schema", None)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        described = spec["function"].get("parameters", {}).get("properties", {})
        for name, value in schema.model_json_schema().get("properties", {}).items():
            if quoted(value) and name in described:
                described[name]["x-quoted"] = True
    return spec
