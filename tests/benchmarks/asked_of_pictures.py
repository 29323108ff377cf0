"""Which skill is planned for a question that names no skill: what stands in a picture, how it looks, what is in it.

Run from the repository's root, with the extra `train`:

    python -m tests.benchmarks.asked_of_pictures [--model DIR]
"""

import argparse
import random
import tempfile
from typing import Final

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.data.pictures import PictureKind, draw_picture
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "read_text": (
        "What does parking cost on a Tuesday?",
        "How much is the soup?",
        "when does the shop close on Saturdays",
        "What's the total?",
        "is this milk past its date",
        "which platform does it leave from",
        "Who wrote this letter?",
        "what's the phone number",
        "When is the payment due?",
        "How many calories per serving?",
        "What's the wifi password?",
        "what is the speed limit here",
        "which brand is it",
        "Who is the letter addressed to?",
        "how long does it need in the oven",
        "what time is it on the clock display",
        "does it contain nuts",
        "what's the room number",
        "which button should I press?",
        "what's the error",
    ),
    "caption_image": (
        "What is the man doing?",
        "What colour is the car?",
        "is it raining",
        "What season is it?",
        "Are they happy?",
        "what's the weather like in this picture",
        "Is this indoors or outdoors?",
        "what is the woman wearing",
        "where was this taken",
        "What's behind the house?",
        "is the door open or closed",
        "what is on the table",
        "Who is in the picture?",
        "what's happening",
        "What is this?",
    ),
    "detect_objects": (
        "how many people are in it",
        "is there a dog",
        "where is the exit",
        "Are there any cars on the street?",
        "which seat is free",
        "is anybody in the pool",
        "number of windows",
        "do you see a bicycle",
    ),
}
"""What was asked of the LMM, by the skill that answers it; three of them another skill answers as well."""

_SUITED: Final[dict[str, tuple[PictureKind, ...]]] = {"read_text": ("sign", "receipt", "page", "screen")}
_PLAIN: Final[tuple[PictureKind, ...]] = ("photograph", "scene")


def main() -> None:
    """Print what was planned for each question, and how many are right."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default=None, help="another LMM than the bundled one")
    given = parser.parse_args()
    right = 0
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        lmm = ChatLlavaPlus(model=given.model, store=store).bind_tools(load_skills(store=store))
        for skill, questions in QUESTIONS.items():
            for index, question in enumerate(questions):
                rng = random.Random(index)
                picture = draw_picture(rng.choice(_SUITED.get(skill, _PLAIN)), rng).picture
                planned = [
                    call["name"]
                    for call in lmm.invoke([user_message(question, images=[picture], store=store)]).tool_calls
                ]
                right += skill in planned
                print(f"{question:45} {skill:16} {', '.join(planned) or 'no skill'}", flush=True)
    print(f"{right} of {sum(map(len, QUESTIONS.values()))} right")


if __name__ == "__main__":
    main()
