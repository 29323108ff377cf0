import pytest
from PIL import Image

from llavaplus_tools._backends.framing import framed, stretch


@pytest.mark.parametrize("size", [(640, 480), (800, 100), (8, 8)], ids=str)
def test_a_usual_picture_stays_as_it_is(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    assert framed(picture) is picture
    assert stretch(picture) == (1, 1)


@pytest.mark.parametrize(
    ("size", "frame"),
    [((16_000, 3), (16_000, 2_000)), ((3, 900), (113, 900)), ((1, 1), (8, 8)), ((2, 30), (8, 30))],
    ids=str,
)
def test_a_strip_or_speck_gets_grey_below_or_to_the_right(size: tuple[int, int], frame: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "red")
    result = framed(picture)
    assert result.size == frame
    assert stretch(picture) == (frame[0] / size[0], frame[1] / size[1])
    assert result.getpixel((0, 0)) == result.getpixel((size[0] - 1, size[1] - 1)) == (255, 0, 0)
    assert result.getpixel((frame[0] - 1, frame[1] - 1)) == (128, 128, 128)
