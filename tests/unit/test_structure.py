"""The evaluation of structure: what it makes, and that it finds what is lost."""

from flowchat.evaluation.markdown_samples import samples
from flowchat.evaluation.site_shapes import SHAPES
from flowchat.evaluation.structure import compare, render


def test_samples_are_the_same_every_time_and_have_everything() -> None:
    documents = samples(20)
    assert documents == samples(20)
    assert all(document.headings and document.headings[0][0] == 1 for document in documents)
    for name in ("code", "tables", "lists"):
        assert any(getattr(document, name) for document in documents)


def test_every_shape_comes_back() -> None:
    for shape in SHAPES:
        for sample in samples(5):
            for name, found in compare(sample, shape).items():
                assert found.equal == found.of, (shape.name, name)


def test_what_is_lost_counts() -> None:
    sample = next(document for document in samples(20) if document.code and document.tables and document.lists)
    sample.code[0] += " "
    sample.headings[-1] = (6, "Another")
    sample.tables[0][1][0] = "another"
    sample.lists[0][0] = "- another"
    found = compare(sample, SHAPES[0])
    assert all(count.equal < count.of for count in found.values())


def test_pages_look_like_their_generators() -> None:
    html, anchors = render(samples(1)[0], next(shape for shape in SHAPES if shape.name == "Sphinx"))
    assert f'<section id="{anchors[0]}">' in html
    assert html.count("<section") == html.count("</section>") == len(anchors)
