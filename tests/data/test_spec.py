from pathlib import Path

import pytest

from artcolor.data.spec import FolderSource, HuggingFaceSource, load_spec, shipped_specs
from artcolor.errors import ConfigError


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs_are_valid(name: str) -> None:
    assert load_spec(name).name == name


def test_paths_are_relative_to_the_spec_or_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: a\nsources: [{kind: folder, name: x, path: pictures}, {kind: huggingface, name: y, repo: ./local}]\n"
    )
    for spec, root in (
        (load_spec(tmp_path / "a.yaml"), tmp_path),
        (load_spec(tmp_path / "a.yaml", root="/r"), Path("/r")),
    ):
        folder, stream = spec.sources
        assert isinstance(folder, FolderSource) and folder.path == root / "pictures"
        assert isinstance(stream, HuggingFaceSource) and stream.repo == str(root / "local")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: a\nsources: []\n", "sources"),
        ("name: a\nsources: [{kind: folder, name: x, path: p}]\ncleaning: {}\n", "there is no key 'cleaning'"),
        ("name: a\nsources: [{kind: folder, name: x, path: p, layouts: ['{painter}/*']}]\n", "painter"),
        ("name: a\nsources: [{kind: zip, name: x}]\n", "kind"),
        ("name: a\nsources: [{kind: folder, name: x, path: p}, {kind: folder, name: x, path: q}]\n", "same name"),
        ("name: a\nsources: [{kind: folder, name: x, path: p}]\nsplit: {val: 3.5}\n", "split.val"),
        ("name: a\nsources: [{kind: folder, name: x, path: p}]\nduplicates: {distance: 12}\n", "related"),
        ("name: a\nsources: [{kind: folder, name: x, path: p}]\nwhere: {title: [x]}\n", "where"),
        ("name: [a\n", "not valid YAML"),
        ("- a\n", "the file"),
    ],
)
def test_an_invalid_spec_is_an_error_that_names_the_field(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_spec(tmp_path / "a.yaml")
    assert "a.yaml" in str(caught.value)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="wikiart"):
        load_spec("no-such-spec")
