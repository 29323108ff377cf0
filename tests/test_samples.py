import pytest
from PIL import Image

from llavaplus_graph.errors import PictureError
from llavaplus_graph.samples import NAMES, sample


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_a_small_picture(name: str) -> None:
    assert sample(name).stat().st_size < 150_000
    with Image.open(sample(name)) as picture:
        assert min(picture.size) >= 400


def test_an_unknown_sample_is_told_with_the_known_ones() -> None:
    assert sample("sign") == sample("sign.png")
    with pytest.raises(PictureError, match=r"there is no sample '\.\./cli/app\.py'; there are sign\.png"):
        sample("../cli/app.py")
