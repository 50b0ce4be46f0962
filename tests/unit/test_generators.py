import pytest

from flowchat.engines.generators import create_generator
from flowchat.errors import ModelError
from flowchat.net.openai_stream import stream_chat
from flowchat.settings import Settings


def test_extractive_needs_no_generator() -> None:
    assert create_generator(Settings(generator="extractive"), 1, stream_chat) is None


def test_openai_generator_is_named_by_its_model() -> None:
    generator = create_generator(Settings(generator="openai:org/model@2@http://127.0.0.1:1/v1"), 1, stream_chat)
    assert generator is not None
    assert generator.name == "org/model@2"


@pytest.mark.parametrize(
    ("generator", "code", "says"),
    [
        ("openai:model", "bad_setting", "openai:MODEL@https://HOST/v1"),
        ("openai:@http://127.0.0.1", "bad_setting", "openai:MODEL@https://HOST/v1"),
        ("openai:m@http://ann:secret@127.0.0.1/v1", "bad_setting", "FLOWCHAT_GENERATOR_API_KEY"),
        ("nonsense", "unknown_model", "No generator is called 'nonsense'"),
        ("flowchat-verifier-2", "unknown_model", "No generator"),
    ],
)
def test_generator_that_cannot_be(generator: str, code: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        create_generator(Settings(generator=generator), 1, stream_chat)
    assert caught.value.code == code
