"""Whole conversations for the mini: plan, result and answer, several calls or rounds, follow-ups and small talk."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llavaplus_graph.data import wording
from llavaplus_graph.data.joining import join
from llavaplus_graph.data.phrasing import Phrasing
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.data.requests import MARKED, Request, make_request
from llavaplus_graph.data.results import draw_content, draw_failure
from llavaplus_graph.protocol import IMAGE, Action, holding_message, render_observation
from llavaplus_graph.skills import catalogued

_READABLE = ("page", "sign", "receipt", "screen")
_CODES = ("qr_code", "barcode")
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
_POINTERS = (
    " in image_{n}",
    " in the {th} picture",
    " (picture {n})",
    " in picture {n}",
    " on the {th} one",
    ", I mean the {th} image",
    " - use image {n}",
    " for the {th} photo",
)
_ALONE = ("inpaint_region", "segment_region", "segment_at_granularities", "segment_by_example", "generate_from_layout")


@dataclass(frozen=True, slots=True)
class PictureFact:
    """A rendered picture as curation knows it: its file, its kind and what is printed on it."""

    file: str
    kind: str
    texts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Talk:
    """A conversation while it grows; `numbered` holds the user's pictures and None for each that a skill made."""

    numbered: list[PictureFact | None] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shown(self) -> list[PictureFact]:
        return [fact for fact in self.numbered if fact is not None]

    def meant(self, image: str) -> PictureFact | None:
        """What is known of `latest` or `image_2`; None for a picture that a skill made or that is not there."""
        index = -1 if image == "latest" else int(image.removeprefix("image_")) - 1
        return self.numbered[index] if -1 <= index < len(self.numbered) and self.numbered else None

    def user(self, text: str, fresh: Sequence[PictureFact] = ()) -> None:
        self.numbered += fresh
        self.turns.append(human(f"{IMAGE}\n" * len(fresh) + text))

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.shown]

    def call(self, actions: Sequence[Action], thought: str) -> None:
        self.turns.append(gpt(thought, actions, holding_message([action.name for action in actions])))

    def read(self, results: Sequence[tuple[str, Mapping[str, Any]]], question: str) -> None:
        self.turns.append(human(render_observation(results, question)))

    def say(self, thought: str, value: str) -> None:
        self.turns.append(gpt(thought, (), value))


class Composer:
    """Composes records from phrasings and, where given, rendered pictures; the same seed gives the same records."""

    def __init__(self, phrasings: Sequence[Phrasing], pictures: Sequence[PictureFact], rng: random.Random) -> None:
        self._rng = rng
        self._by_kind: dict[str, list[PictureFact]] = defaultdict(list)
        for fact in pictures:
            self._by_kind[fact.kind].append(fact)
        self._by_skill: dict[str, list[Phrasing]] = defaultdict(list)
        for phrasing in phrasings:
            self._by_skill[self._group(phrasing)].append(phrasing)
        self._skills = [
            name
            for name in self._by_skill
            if name not in ("none", "depends", "sight", "two", "erase_named", "erase_marked")
        ]

    def conversation(self, name: str, *, pictured: bool) -> Record:
        """Compose one record of any kind.

        Args:
            name: Its unique id.
            pictured: Whether the user's pictures are part of it.
        """
        chance = self._rng.random()
        talk = _Talk()
        if pictured and chance < 0.12:
            self._depending(talk)
        elif chance < 0.30:
            self._small_talk(talk, pictured)
        elif chance < 0.41:
            self._two_at_once(talk, pictured)
        elif chance < 0.46:
            self._erase(talk, pictured)
        elif chance < 0.57:
            self._follow_up(talk, pictured)
        else:
            self._single(talk, self._choose_skill(), pictured, answered=self._rng.random() < 0.5)
        return self._record(name, talk)

    def answer_drill(self, name: str) -> Record:
        """Compose the second half of a conversation alone: a result and the answer that copies it."""
        skill = self._rng.choice(
            ["read_text"] * 9 + ["read_codes", "retrieve_knowledge", "caption_image"] * 2 + self._skills
        )
        talk = _Talk(numbered=[None])
        request = make_request(self._rng.choice(self._by_skill[skill]), self._rng)
        self._answer(talk, request, self._content(talk, request.action))
        return self._record(name, talk)

    def plan_drill(self, name: str) -> Record:
        """Compose a request and its plan alone, for a skill whose argument has to be copied."""
        skill = self._rng.choice(
            ["detect_objects", "segment_objects", "generate_image", "edit_image", "segment_region", "transform_image"]
        )
        talk = _Talk()
        self._single(talk, skill, pictured=False, answered=False)
        return self._record(name, talk)

    def sight_drill(self, name: str) -> Record:
        """Compose a question that looking alone answers."""
        talk = _Talk()
        fact = self._picture(tuple(self._by_kind))
        talk.user(make_request(self._rng.choice(self._by_skill["sight"]), self._rng).text, [fact])
        talk.say(wording.plan_thought([], kinds=[fact.kind]), wording.sight_answer(fact.kind))
        return self._record(name, talk)

    @staticmethod
    def _group(phrasing: Phrasing) -> str:
        if phrasing.calls:
            return "two"
        if phrasing.plans is not None:
            return "sight" if phrasing.plans == "sight" else "depends"
        return phrasing.family.split("/")[0] if phrasing.then else phrasing.skill or "none"

    def _record(self, name: str, talk: _Talk) -> Record:
        return Record(name, tuple(fact.file for fact in talk.shown), tuple(talk.turns))

    def _choose_skill(self) -> str:
        """Prefer skills with many phrasings a little."""
        return self._rng.choices(self._skills, [len(self._by_skill[name]) ** 0.5 for name in self._skills])[0]

    def _picture(self, kinds: Sequence[str]) -> PictureFact:
        return self._rng.choice(self._by_kind[self._rng.choice(kinds)])

    def _fresh(self, skill: str | None, pictured: bool) -> list[PictureFact]:
        """Choose the pictures that come with a request, mostly of a kind that suits the skill."""
        if not pictured or (skill in (None, "generate_image") and self._rng.random() < 0.5):
            return []
        everything = tuple(self._by_kind)
        suited = {"read_text": _READABLE, "read_codes": _CODES}.get(str(skill), ("photograph", "photograph", "scene"))
        count = 2 if skill == "segment_by_example" else self._rng.choices([1, 2, 3], [92, 6, 2])[0]
        return [self._picture(suited if self._rng.random() < 0.7 else everything) for _ in range(count)]

    def _single(self, talk: _Talk, skill: str, pictured: bool, *, answered: bool, new_picture: bool = True) -> None:
        request = make_request(self._rng.choice(self._by_skill[skill]), self._rng)
        fresh = self._fresh(skill, pictured) if new_picture else []
        request = self._pointed(request, len(talk.numbered) + len(fresh))
        talk.user(request.text, fresh)
        assert request.action is not None  # noqa: S101 - groups of skills hold only phrasings that ask for one
        talk.call([request.action], wording.plan_thought([request.action.name], kinds=talk.kinds()))
        if answered:
            self._answer(talk, request, self._content(talk, request.action))

    def _pointed(self, request: Request, pictures: int) -> Request:
        """Let the user say which of several pictures is meant, now and then."""
        action = request.action
        if action is not None and action.name == "segment_by_example":
            reference = {"reference_image": f"image_{max(1, pictures - 1)}"}  # the example comes before the newest
            return replace(request, actions=(Action(action.name, {**action.params, **reference}),))
        if action is None or pictures < 2 or action.name in (*MARKED, "generate_image") or self._rng.random() < 0.5:
            return request
        number = self._rng.randint(1, min(pictures, 4))
        pointer = self._rng.choice(_POINTERS).format(n=number, th=_ORDINALS[number])
        text = request.text.rstrip("?.! ") + pointer + ("?" if request.text.endswith("?") else "")
        pointed = Action(action.name, {**action.params, "image": f"image_{number}"})
        return Request(text, (pointed,), request.phrasing)

    def _content(self, talk: _Talk, action: Action | None) -> dict[str, Any]:
        assert action is not None  # noqa: S101 - only requests with a call have results
        if self._rng.random() < (0.18 if catalogued(action.name).weights else 0.06):
            return draw_failure(action.name, self._rng)
        kinds = _READABLE if action.name == "read_text" else _CODES
        fact = talk.meant(str(action.params.get("image", "latest")))
        texts = [text.strip() for text in fact.texts] if fact and fact.kind in kinds else []
        content = draw_content(action.name, action.params, self._rng, texts=texts, next_picture=len(talk.numbered) + 1)
        if "pictures" in content:
            talk.numbered.append(None)
        return content

    def _answer(self, talk: _Talk, request: Request, content: Mapping[str, Any]) -> None:
        assert request.action is not None  # noqa: S101 - only requests with a call are answered from a result
        talk.read([(request.action.name, content)], request.text)
        value = wording.answer(request.action.name, content, request.action.params)
        talk.say(wording.answer_thought([request.action.name]), value)

    def _small_talk(self, talk: _Talk, pictured: bool) -> None:
        request = make_request(self._rng.choice(self._by_skill["none"]), self._rng, strength=0.6)
        talk.user(request.text, self._fresh(None, pictured))
        talk.say(wording.plan_thought([], kinds=talk.kinds()), self._rng.choice(request.phrasing.answers))

    def _depending(self, talk: _Talk) -> None:
        """Ask with words whose plan depends on the picture."""
        phrasing = self._rng.choice(self._by_skill["depends"] + self._by_skill["sight"])
        fact = self._picture(tuple(self._by_kind))
        plans = phrasing.plans
        skill = plans.get(fact.kind, "none") if isinstance(plans, Mapping) else "none"
        request = make_request(phrasing, self._rng)
        talk.user(request.text, [fact])
        if skill == "none":
            talk.say(wording.plan_thought([], kinds=[fact.kind]), wording.sight_answer(fact.kind))
            return
        action = Action(skill, {})
        talk.call([action], wording.plan_thought([skill], kinds=[fact.kind]))
        if self._rng.random() < 0.4:
            self._answer(talk, Request(request.text, (action,), phrasing), self._content(talk, action))

    def _two_at_once(self, talk: _Talk, pictured: bool) -> None:
        request = self._authored_pair() if self._rng.random() < 0.6 else self._joined_pair()
        text, actions = request.text, request.actions
        names = [action.name for action in actions]
        talk.user(text, self._fresh(names[0], pictured))
        talk.call(actions, wording.plan_thought(names, kinds=talk.kinds()))
        if self._rng.random() < 0.5:
            contents = [(action.name, self._content(talk, action)) for action in actions]
            talk.read(contents, text)
            said = [
                wording.answer(name, content, action.params)
                for (name, content), action in zip(contents, actions, strict=True)
            ]
            talk.say(wording.answer_thought(names), " ".join(said))

    def _authored_pair(self) -> Request:
        return make_request(self._rng.choice(self._by_skill["two"]), self._rng)

    def _joined_pair(self) -> Request:
        names = self._rng.sample([name for name in self._skills if name not in _ALONE], 2)
        if self._rng.random() < 0.12:
            names = ["transform_image", "transform_image"]
        first, second = (self._short_request(name) for name in names)
        actions = (*first.actions, *second.actions)
        text = join(first.text, second.text, " ".join(str(action.params) for action in actions), self._rng)
        return Request(text, actions, first.phrasing)

    def _short_request(self, skill: str) -> Request:
        """Ask in few words, as one does who asks for two things."""
        phrasing = min(self._rng.choices(self._by_skill[skill], k=2), key=lambda p: len(p.text))
        return make_request(phrasing, self._rng, strength=0.3)

    def _erase(self, talk: _Talk, pictured: bool) -> None:
        """Segment first, erase in the next round."""
        request = make_request(
            self._rng.choice(self._by_skill[self._rng.choice(["erase_named", "erase_marked"])]), self._rng
        )
        action, then = request.action, str(request.phrasing.then)
        assert action is not None  # noqa: S101 - erasing always begins with a call
        talk.user(request.text, self._fresh(action.name, pictured))
        talk.call([action], wording.plan_thought([action.name], kinds=talk.kinds(), then=then))
        if self._rng.random() < 0.3:
            return
        content = self._content(talk, action)
        if "error" in content or not content["boxes"]:
            self._answer(talk, request, content)
            return
        talk.read([(action.name, content)], request.text)
        follow = Action(then, {"prompt": ""})
        talk.call([follow], wording.next_thought(action.name, then))
        self._answer(talk, Request(request.text, (follow,), request.phrasing), self._content(talk, follow))

    def _follow_up(self, talk: _Talk, pictured: bool) -> None:
        """Go on talking after a first answer, half of the time about the mask that it made."""
        erase = self._rng.random() < 0.5
        skill = (
            self._rng.choice(["segment_objects", "segment_region", "segment_region"]) if erase else self._choose_skill()
        )
        self._single(talk, skill, pictured, answered=True)
        if not erase and self._rng.random() < 0.25:
            talk.user(self._rng.choice(self._by_skill["none"]).text)
            phrasing = next(p for p in self._by_skill["none"] if p.text == talk.turns[-1]["value"])
            talk.say(wording.plan_thought([], kinds=talk.kinds()), self._rng.choice(phrasing.answers))
            return
        following = "inpaint_region" if erase else self._choose_skill()
        fresh = pictured and self._rng.random() < 0.15
        self._single(talk, following, pictured, answered=self._rng.random() < 0.3, new_picture=fresh)
