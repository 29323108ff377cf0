"""How one checkpoint speaks: the file `llavaplus.json` beside its weights. Knows nothing of tensors or messages."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from llavaplus_graph.errors import CheckpointError
from llavaplus_graph.protocol import IMAGE, TEMPLATES, Template

DIALECT_FILE = "llavaplus.json"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The template a checkpoint was tuned on, the names it calls skills by and the skills it has learned.

    Attributes:
        template: Which published conversation template it speaks.
        system: Its own system text; None means that of the template.
        names: `skills` when it was tuned on skill names, `wire` when on those of the original.
        skills: Skill names it has learned; empty when unknown.
        grounded: Whether its answers are best decoded with numbers and quotations held to the results.
        picture: What stands for a picture in its prompts; some old checkpoints want marks around `<image>`.
    """

    template: Literal["v0", "v1"] = "v1"
    system: str | None = None
    names: Literal["skills", "wire"] = "wire"
    skills: tuple[str, ...] = ()
    grounded: bool = False
    picture: str = IMAGE

    @property
    def conversation(self) -> Template:
        """The template with this checkpoint's system text and its way to write a picture."""
        template = replace(TEMPLATES[self.template], picture=self.picture)
        return template if self.system is None else replace(template, system=self.system)

    def save(self, directory: Path) -> None:
        """Write `llavaplus.json` into a checkpoint directory."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (directory / DIALECT_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "Dialect":
        """Read `llavaplus.json`; a directory without one speaks the dialect of the released v0 checkpoint.

        Raises:
            CheckpointError: If the file is not JSON or has a key or value that no version of this package wrote.
        """
        path = directory / DIALECT_FILE
        if not path.exists():
            return cls(template="v0", names="wire")
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            fields["skills"] = tuple(fields.get("skills", ()))
            dialect = cls(**fields)
            known = dialect.template in TEMPLATES and dialect.names in ("skills", "wire")
            placed = dialect.picture.count(IMAGE) == 1
        except (ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a description of a dialect: {error}.") from error
        if not known:
            raise CheckpointError(
                f"{path} names the template {dialect.template!r} and the names {dialect.names!r}; "
                f"known are the templates {', '.join(TEMPLATES)} and the names skills and wire."
            )
        if not placed:
            raise CheckpointError(f"{path} writes a picture as {dialect.picture!r}; it has to hold {IMAGE} once.")
        return dialect
