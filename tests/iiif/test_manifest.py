"""Manifests of both versions, damaged ones, and what is written of them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artcolor.errors import DataError, ImageError
from artcolor.iiif.manifest import STATEMENT, Colored, Manifest
from artcolor.iiif.pictures import LocalPictures
from artcolor.iiif.run import _encoded, plan_pictures
from artcolor.images import Provenance
from tests.conftest import make_painting
from tests.iiif.checks import bodies, check, parts
from tests.iiif.host import canvas, manifest, old_manifest

BASE, HOME = "https://museum.org/iiif", "https://museum.org/colored/"


def parsed(document: object) -> Manifest:
    return Manifest.parse(json.dumps(document).encode(), "m.json")


def colored(read: Manifest, *, model: str = "cnn.art_v1") -> dict[str, Any]:
    jobs = plan_pictures(read, Path("out"))
    said = Provenance(model, "ab" * 32, {"vividness": 1.0})
    results = [Colored(job.painting, job.target.relative_to("out"), (96, 80), said) for job in jobs]
    return read.colored(results, HOME)


@pytest.mark.parametrize("make", [manifest, old_manifest])
def test_gray_and_color_are_a_choice(make: Any) -> None:
    document = make(BASE, "p1", "p2")
    before = copy.deepcopy(document)
    read = parsed(document)
    new = colored(read)
    check(new)
    first, second = bodies(new)
    assert first["type"] == second["type"] == "Choice"
    gray, color = first["items"]
    assert (gray["id"], gray["label"]) == (read.paintings[0].address, {"en": ["Original"]})
    assert (color["id"], color["width"], color["format"]) == (f"{HOME}p1.jpg", 96, "image/jpeg")
    assert "guess" in color["label"]["en"][0]
    assert new["id"] == f"{HOME}manifest.json"
    assert new["label"]["en"] == ["Letters"]
    # The museum's own statement stays, and ours is there in each language.
    texts = new["requiredStatement"]["value"]
    assert all(text[-1] == STATEMENT and len(text) == 2 for text in texts.values())
    assert any("A museum" in text for text in texts.values())
    said = {each["label"].get("en", each["label"].get("none"))[0]: each["value"]["none"][0] for each in new["metadata"]}
    assert said["Author"] == "Nobody"
    assert (said["Model"], said["Weights (SHA-256)"]) == ("cnn.art_v1", "ab" * 32)
    assert json.loads(said["Options"]) == {"vividness": 1.0}
    assert said["Colors computed by"].startswith("artcolor ")
    assert said["Manifest of the originals"] == f"{BASE}/manifest.json"
    assert document == before


def test_version_2_is_upgraded() -> None:
    new = parsed(old_manifest(BASE, "p1", "p2")).document
    check(new)
    assert new["label"] == {"en": ["Letters"], "fr": ["Lettres"]}
    assert new["summary"] == {"none": ["Old letters"]}
    assert new["behavior"] == ["paged"]
    assert new["start"]["id"] == f"{BASE}/canvas/p1"
    assert new["provider"][0]["logo"][0]["id"] == f"{BASE}/logo.png"
    assert [each["items"][0]["type"] for each in new["structures"]] == ["Range"]
    assert new["items"][0]["annotations"][0]["id"] == f"{BASE}/list/p1"
    assert bodies(new)[0]["service"][0]["@type"] == "ImageService2"


def test_choices_and_parts_of_version_2() -> None:
    document = old_manifest(BASE, "p1", "p2", "p3")
    images = [each["images"][0] for each in document["sequences"][0]["canvases"]]
    picture = images[0]["resource"]
    images[0]["resource"] = {"@type": "oa:Choice", "default": picture, "item": [images[1]["resource"], "rdf:nil"]}
    images[1]["resource"] = {
        "@type": "oa:SpecificResource",
        "full": picture,
        "selector": {"@type": "iiif:ImageApiSelector"},
    }
    read = parsed(document)
    assert [each.canvas for each in read.paintings] == ["p. p1", "p. p3"]
    assert read.left_out == ["p. p2: it shows a part of a picture, which is not supported"]
    assert len(bodies(colored(read))[0]["items"]) > 2


def test_what_was_written_is_colorized_again() -> None:
    once = colored(parsed(manifest(BASE, "p1")))
    twice = colored(parsed(once), model="vae.art_v6")
    check(twice)
    assert [len(each["items"]) for each in bodies(twice)] == [2]
    assert twice["requiredStatement"] == once["requiredStatement"]
    models = [each["value"]["none"] for each in twice["metadata"] if each["label"] == {"en": ["Model"]}]
    assert models == [["vae.art_v6"]]


def test_what_is_no_picture_is_left_as_it_is() -> None:
    document = manifest(BASE, "p1", "p2", "p3", "p4")
    kinds: list[Any] = [{"type": "Video", "id": f"{BASE}/v.mp4"}, "text", None]
    for each, body in zip(document["items"], kinds, strict=False):
        each["items"][0]["items"][0]["body"] = body
    document["items"] += [{"id": f"{BASE}/empty", "type": "Canvas"}, 7]
    read = parsed(document)
    assert [each.canvas for each in read.paintings] == ["Page p4"]
    assert len(read.left_out) == 5
    assert "it shows Video, not a picture" in read.left_out[0]
    assert bodies(colored(read))[:3] == kinds


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"type": "Manifest", "service": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"@type": "sc:Manifest", "service": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"type": "Manifest", "height": 1e999}', "it is not JSON"),
        (b'{"type": "Manifest", "height": NaN}', "it is not JSON"),
        (b"[]", "must be a JSON object with type Manifest"),
        (b'{"type": "Collection"}', "is a collection of manifests"),
        (b'{"type": "Manifest"}', "shows no pictures"),
        (b'{"@type": "sc:Manifest", "sequences": 3}', "shows no pictures"),
        (b'{"type": "Manifest", "items": [{"items": [{"items": 3}]}]}', "shows no pictures"),
    ],
)
def test_mistakes_in_manifests(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Manifest.parse(data, "m.json")


JUNK = st.sampled_from(
    [None, True, -1, 2.5, "", "x", "http://[", "\ud800", "a\0\n", [], [None], {}, {"@value": 3}, {"type": []}, [[{}]]]
).map(copy.deepcopy)


@pytest.mark.parametrize("make", [manifest, old_manifest])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_manifests_are_refused_or_read(make: Any, data: st.DataObject) -> None:
    document = make(BASE, "p1", "p2")
    for _ in range(data.draw(st.integers(1, 4))):
        places = [(each, name) for each in parts(document) for name in each]
        if not places:
            break
        holder, name = data.draw(st.sampled_from(places))
        holder[name] = data.draw(JUNK)
    try:
        read = parsed(document)
    except DataError:
        return
    assert all(f"{each.canvas}{each.address}{each.names}{each.service}".isprintable() for each in read.paintings)
    new = colored(read)
    made = [each["id"] for each in parts(new) if str(each.get("id")).startswith(HOME)]
    assert len(made) == 1 + len(read.paintings)
    assert json.loads(_encoded(new)) == new


def test_names_of_results() -> None:
    read = parsed(manifest(BASE, "a%2Fp1.tif", "b%2Fp1.tif", "..%2F..%2Fetc", "%2E%2E", "manifest.json"))
    names = [job.target.as_posix() for job in plan_pictures(read, Path("out"), format="png")]
    assert names == ["out/a_p1.png", "out/b_p1.png", "out/etc.png", "out/picture-4.png", "out/manifest.json.png"]
    same = parsed(manifest(BASE, "p1", "P1"))
    assert [job.target.name for job in plan_pictures(same, Path())] == ["p1.jpg", "P1-2.jpg"]
    reserved = parsed(manifest(BASE, "con.tif", "a%3Ab", "console"))
    assert [job.target.name for job in plan_pictures(reserved, Path())] == ["picture-1.jpg", "a_b.jpg", "console.jpg"]
    with pytest.raises(ImageError, match="do not show tif files; choose jpg, png or webp"):
        plan_pictures(same, Path(), format="tif")


def test_many_pictures_with_one_name() -> None:
    read = parsed(manifest(BASE, *["p1"] * 3_000))
    names = {job.target.name for job in plan_pictures(read, Path())}
    assert len(names) == 3_000
    assert {"p1.jpg", "p1-2.jpg", "p1-3000.jpg"} <= names


def test_a_label_is_no_formula() -> None:
    document = manifest(BASE, "p1")
    document["items"][0]["label"] = {"en": ["=1+1"]}
    assert [job.name for job in plan_pictures(parsed(document), Path())] == ["canvas =1+1 (p1.jpg)"]


def test_a_dot_in_an_identifier_begins_no_suffix(tmp_path: Path) -> None:
    make_painting(1, 20, 20).save(tmp_path / "page.png")
    make_painting(1, 20, 20).save(tmp_path / "page.2.png")
    local = LocalPictures(tmp_path)
    found = [local.find(painting) for painting in parsed(manifest(BASE, "page.1", "page.2", "page.tif")).paintings]
    assert found == [None, tmp_path / "page.2.png", tmp_path / "page.png"]


def test_local_files_by_identifier_or_name(tmp_path: Path) -> None:
    for name in ("sub/p1.tif", "P2.PNG", "x/p3.png", "y/p3.png", "canvas4.jpg", "a/p5.png", "b/p5.png", "scan6.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        make_painting(1, 20, 20).save(tmp_path / name)
    document = manifest(BASE, "p1", "p2.tif", "p3", "p4", "b%2Fp5.png", "p6", "p7")
    document["items"][3]["id"] = f"{BASE}/canvas4"
    document["items"][5] = canvas(BASE, "p6", id=f"{BASE}/scan6.jpg?size=full", service=[])
    local, found = LocalPictures(tmp_path), []
    for painting in parsed(document).paintings:
        try:
            path = local.find(painting)
            found.append(None if path is None else path.relative_to(tmp_path).as_posix())
        except DataError as error:
            found.append(str(error).rpartition(" both")[2])
    assert found == [
        "sub/p1.tif",
        "P2.PNG",
        " have the name p3; remove one of them",
        "canvas4.jpg",
        "b/p5.png",
        "scan6.jpg",
        None,
    ]
