import pytest

from llavaplus_graph.data.curation.language import is_foreign


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is the red cup in this picture?", "en"),
        ("Segmentier mir bitte die rote Tasse auf dem Tisch.", "de"),
        ("¿Dónde está la taza roja que dejé en la mesa?", "es"),
        ("这张图片里的红色杯子在哪里？", "zh"),
        ("Где на этой картинке красная чашка?", "ru"),
        ("OPEN 9-5", "en"),
        ("It says: 'Grüße aus Köln'.", "en"),
        ("Kelvor Danfi Borcal", "en"),
        ("[0.1, 0.2, 0.3, 0.4]", "en"),
        ("", "en"),
        ("Dia dhuit a chara, conas atá tú inniu?", "ga"),
    ],
)
def test_a_text_in_the_wanted_language_or_in_none_passes(text: str, language: str) -> None:
    assert not is_foreign(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wo ist denn die rote Tasse auf diesem Bild?", "en"),
        ("Où est la tasse rouge sur cette image ?", "en"),
        ("¿Dónde está la taza roja en esta imagen?", "en"),
        ("这张图片里的红色杯子在哪里？", "en"),
        ("Где на этой картинке красная чашка?", "en"),
        ("Where is the red cup in this picture?", "de"),
        ("Where is the red cup?", "zh"),
    ],
)
def test_a_text_in_another_language_is_foreign(text: str, language: str) -> None:
    assert is_foreign(text, language)
