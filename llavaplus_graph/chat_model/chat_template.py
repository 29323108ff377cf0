"""The Jinja chat template with which other software writes the prompt of `protocol.Template`, character by character.

An inference server renders the conversation itself; with this template beside the weights, or given to the server when
it starts, it shows the LMM what the LMM was tuned on. Knows the two published templates, no tokenizer and no server.
"""

import json

from llavaplus_graph.chat_model.dialect import Dialect

FILE = "chat_template.jinja"

# The loops run over message['content'] itself, because servers look for that to tell how they have to pass pictures.
_JINJA = """\
{%- set said = namespace(system=DEFAULT, turns=0) -%}
{%- if not messages or messages[0]['role'] != 'system' -%}{{ DEFAULT }}{%- endif -%}
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}{%- set said.system = true -%}
{%- elif message['role'] == 'assistant' -%}{{ TO_ASSISTANT }}{{ ASSISTANT }}
{%- else -%}{{ TO_FIRST if said.turns == 0 and said.system else TO_HUMAN }}{{ HUMAN }}
{%- endif -%}
{%- if message['role'] != 'system' -%}{%- set said.turns = said.turns + 1 -%}{%- endif -%}
{%- if message['content'] is string -%}
{{ message['content'] | trim if message['role'] == 'assistant' else message['content'] }}
{%- else -%}
{%- for part in message['content'] if part['type'] != 'text' -%}{{ PICTURE }}{%- endfor -%}
{%- for part in message['content'] if part['type'] == 'text' -%}
{{ part['text'] | trim if message['role'] == 'assistant' else part['text'] }}
{%- endfor -%}
{%- endif -%}
{%- if message['role'] == 'assistant' -%}{{ CLOSE }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ TO_ASSISTANT }}{{ OPEN }}{%- endif -%}
"""


def chat_template(dialect: Dialect) -> str:
    """Write the template of a dialect; a system message takes the place of the dialect's own system text.

    Args:
        dialect: The template the LMM was tuned on and its system text.

    Example:
        >>> "USER: " in chat_template(Dialect(template="v1"))
        True
    """
    template = dialect.conversation
    human, assistant = template.roles
    plain = template.name == "v0"
    words = {
        "DEFAULT": template.system,
        "TO_FIRST": "###" if plain else " ",
        "TO_HUMAN": "###" if plain else "",
        "TO_ASSISTANT": "###" if plain else " ",
        "HUMAN": f"{human}: ",
        "ASSISTANT": f"{assistant}: ",
        "OPEN": f"{assistant}:",
        "PICTURE": f"{template.picture}\n",
        "CLOSE": "" if plain else template.stop,
    }
    definitions = (f"{{%- set {name} = {json.dumps(text, ensure_ascii=False)} -%}}\n" for name, text in words.items())
    return "".join(definitions) + _JINJA
