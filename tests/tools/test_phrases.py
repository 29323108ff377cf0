import pytest

from llavaplus_tools.phrases import things_in


@pytest.mark.parametrize(
    ("caption", "things"),
    [
        ("a cat sitting on a red sofa", ["cat", "red sofa"]),
        ("Two dogs and a dog play with the ball.", ["dogs", "dog play", "ball"]),
        ("a building with a painting of a king", ["building", "painting", "king"]),
        ("a close-up photo of a man's face", ["man's face"]),
        ("a small old green wooden garden gate", ["green wooden garden gate"]),
        ("a cup, a cup and a Cup", ["cup"]),
        ("3 people in front of the T-shirt shop", ["people", "t-shirt shop"]),
        ("it is what it is", []),
        ("", []),
        ("!!! 42", []),
    ],
)
def test_the_things_that_a_caption_names(caption: str, things: list[str]) -> None:
    assert things_in(caption) == things
