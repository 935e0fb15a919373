"""Films keep all but their color: brightness to the bit, times, sound, and what the container says."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ArtcolorError, ConfigError, UnsupportedError
from artcolor.video.film import colorize_film
from artcolor.video.write import read_provenance
from tests.conftest import ROOT
from tests.video import clips
from tests.video.clips import frames_of, make, packets_of, plane, times_of


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer("cnn", size=64)


def colorize(colorizer: Colorizer, source: Path, suffix: str = "", **options: Any) -> Path:
    target = source.with_name(f"{source.stem}.color{suffix or source.suffix}")
    colorize_film(colorizer, source, target, **options)
    assert not list(source.parent.glob(".*")), "the work folder is removed"
    return target


@pytest.mark.parametrize(
    ("pix_fmt", "result", "context"),
    [
        ("yuv420p", "yuv420p", {}),
        ("yuv422p", "yuv422p", {"color_range": 2}),
        ("yuv444p", "yuv444p", {"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
        ("yuv420p10le", "yuv420p10le", {"colorspace": 9, "color_primaries": 9, "color_trc": 1}),
        ("gray", "yuv420p", {}),
        ("gray10le", "yuv420p10le", {}),
        ("yuva420p", "yuva420p", {}),
    ],
)
def test_luma_goes_through_untouched(
    pix_fmt: str, result: str, context: dict[str, int], colorizer: Colorizer, tmp_path: Path
) -> None:
    source = make(tmp_path / "a.mkv", pix_fmt=pix_fmt, frames=4, size=(161, 121), **context)
    before, after = frames_of(source), frames_of(colorize(colorizer, source))
    assert [frame.format.name for frame in after] == [result] * 4
    for one, other in zip(before, after, strict=True):
        assert (plane(one) == plane(other)).all()
        assert np.ptp(plane(other, 1).astype(int)) > 5, "there is color"
    assert after[0].color_range == (2 if context.get("color_range") == 2 or pix_fmt.startswith("gray") else 1)
    # Small pictures without tags count as NTSC.
    assert after[0].colorspace == context.get("colorspace", 6)
    assert after[0].color_primaries == context.get("color_primaries", 6)


@pytest.mark.parametrize("pix_fmt", ["gbrp", "bgr0", "gbrp10le"])
def test_rgb(pix_fmt: str, colorizer: Colorizer, tmp_path: Path) -> None:
    in_avi = pix_fmt == "gbrp"
    source = make(tmp_path / f"a.{'avi' if in_avi else 'mkv'}", "ffvhuff" if in_avi else "ffv1", pix_fmt, frames=2)
    before, after = frames_of(source), frames_of(colorize(colorizer, source))
    deep = pix_fmt.endswith("10le")
    assert after[0].format.name == ("yuv444p10le" if deep else "yuv444p")
    # AVI has no tags, so the result there has the usual range.
    assert after[0].color_range == (0 if in_avi else 2)
    green = plane(before[0]) if pix_fmt != "bgr0" else before[0].to_ndarray(format="rgb24")[..., 1]
    luma = np.round(green * (219 / 255) + 16) if in_avi else green.astype(int)
    assert np.abs(luma - plane(after[0])).max() <= (1 if deep else 0)


def test_chroma_shows_the_colors_that_pictures_get(colorizer: Colorizer, tmp_path: Path) -> None:
    """A player shows about what the frame would look like as a picture file."""
    context = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 2}
    source = make(tmp_path / "a.mkv", pix_fmt="yuv444p", frames=1, shots=1, **context)
    (shown,) = (frame.to_ndarray(format="rgb24").astype(int) for frame in frames_of(colorize(colorizer, source)))
    as_picture = colorizer(plane(frames_of(source)[0])).astype(int)
    # Players keep Y', pictures keep L; chroma is the same.
    difference = (shown - shown.mean(2, keepdims=True)) - (as_picture - as_picture.mean(2, keepdims=True))
    assert np.abs(difference).mean() < 2


def test_all_else_is_kept(colorizer: Colorizer, tmp_path: Path) -> None:
    chapters = [{"id": 1, "start": 0, "end": 250, "time_base": Fraction(1, 1000), "metadata": {"title": "Begin"}}]
    source = make(
        tmp_path / "a.mp4",
        "libx264",
        times=clips.UNEVEN,
        sound="aac",
        rotation=90,
        metadata={"title": "A walk", "comment": "by hand", "com.maker.lens": "50 mm"},
        chapters=chapters,
        container={"movflags": "use_metadata_tags"},
    )
    target = colorize(colorizer, source)
    assert packets_of(target, "audio") == packets_of(source, "audio")
    assert times_of(target) == times_of(source) == [time * clips.UNIT for time in clips.UNEVEN]
    with av.open(str(source)) as one, av.open(str(target)) as other:
        assert [stream.type for stream in other.streams][:2] == ["video", "audio"]
        video = other.streams.video[0]
        assert (video.codec_context.name, video.average_rate) == ("h264", one.streams.video[0].average_rate)
        assert video.duration * video.time_base == one.streams.video[0].duration * one.streams.video[0].time_base
        assert next(other.decode(video)).rotation == 90
        assert other.metadata["title"] == "A walk"
        assert other.metadata["com.maker.lens"] == "50 mm"
        assert other.metadata["comment"].startswith("by hand\n")
        assert [chapter["metadata"]["title"] for chapter in other.chapters()] == ["Begin"]
    found = read_provenance(target)
    assert found is not None
    assert found == colorizer.provenance
    # A second coloring replaces what was said of the first.
    again = colorize(colorizer, target)
    assert read_provenance(again) == found
    with av.open(str(again)) as other:
        assert other.metadata["comment"].count("artcolor:") == 1
    assert read_provenance(source) is None


def test_turned_films_are_seen_upright(colorizer: Colorizer, tmp_path: Path) -> None:
    """The colors of a film that is stored lying are those of the same film stored upright."""
    upright = make(tmp_path / "a.mov", "prores_ks", "yuv422p10le", frames=1, shots=1, size=(160, 128))
    lying = tmp_path / "b.mov"
    (frame,) = frames_of(upright)
    with av.open(str(lying), "w") as output:
        video = output.add_stream("libx264", rate=24, options={"crf": "0"})
        video.width, video.height, video.pix_fmt = 128, 160, "yuv444p10le"
        video.set_display_rotation(90)
        turned = av.VideoFrame(128, 160, "yuv444p10le")
        for number in range(3):
            rows = np.frombuffer(turned.planes[number], np.uint16).reshape(turned.planes[number].height, -1)
            rows[:, : turned.planes[number].width] = np.rot90(plane(frame), -1) if number == 0 else 512
        turned.pts, turned.time_base = 0, Fraction(1, 24)
        output.mux(video.encode(turned))
        output.mux(video.encode())
    one, other = frames_of(colorize(colorizer, upright))[0], frames_of(colorize(colorizer, lying))[0]
    for number in (1, 2):
        # That one has half as many columns of chroma.
        upright_again = np.rot90(plane(other, number)).astype(int)
        assert np.abs(plane(one, number) - upright_again[:, ::2]).mean() < 8


def with_more(source: Path, target: Path) -> Path:
    """The same with subtitles, a font, and a cover."""
    words = target.with_suffix(".srt")
    words.write_text("1\n00:00:00,100 --> 00:00:00,300\nwords\n\n2\n00:00:00,350 --> 00:00:00,400\nmore\n")
    Image.new("RGB", (30, 20), "teal").save(cover := io.BytesIO(), "JPEG")
    with av.open(str(source)) as film, av.open(str(words)) as text, av.open(str(target), "w") as output:
        made = {(each.index, 0): output.add_stream_from_template(each, opaque=True) for each in film.streams}
        made[0, 1] = output.add_stream_from_template(text.streams[0])
        output.add_attachment("a.ttf", "font/ttf", b"not really a font")
        output.add_attachment("cover.jpg", "image/jpeg", cover.getvalue())
        for number, container in enumerate((film, text)):
            for packet in container.demux():
                if packet.pts is not None:
                    packet.stream = made[packet.stream_index, number]
                    output.mux(packet)
    return target


def test_subtitles_and_attachments(colorizer: Colorizer, tmp_path: Path) -> None:
    plain = make(tmp_path / "plain.mkv", "libx264", sound="libopus")
    source = with_more(plain, tmp_path / "a.mkv")
    target = colorize(colorizer, source)
    with av.open(str(source)) as one, av.open(str(target)) as other:
        types = [stream.type for stream in one.streams]
        assert types == ["video", "audio", "subtitle", "attachment", "video"]
        assert types == [stream.type for stream in other.streams]
        assert other.streams.attachments[0].metadata["filename"] == "a.ttf"
        assert other.streams.video[1].metadata["filename"] == "cover.jpg"
    for kind in ("audio", "subtitle"):
        assert packets_of(target, kind) == packets_of(source, kind)
    with pytest.raises(UnsupportedError, match=r"cannot contain its subtitles \(.*choose a result in .mkv"):
        colorize(colorizer, source, ".mp4")


def with_cover(source: Path, target: Path, **metadata: str) -> Path:
    """The same with a cover, which has no time in MP4."""
    Image.new("RGB", (30, 20), "teal").save(picture := io.BytesIO(), "JPEG")
    picture.seek(0)
    with av.open(str(source)) as film, av.open(picture, format="mjpeg") as image, av.open(str(target), "w") as output:
        output.metadata.update(metadata)
        made = [output.add_stream_from_template(each.streams.video[0], opaque=True) for each in (film, image)]
        made[1].disposition = Disposition.attached_pic
        for stream, container in zip(made, (film, image), strict=True):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
    return target


def test_covers(colorizer: Colorizer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = with_cover(make(tmp_path / "plain.mp4", "libx264", frames=3), tmp_path / "a.mp4")
    for suffix in (".mp4", ".mkv"):
        with av.open(str(source)) as one, av.open(str(colorize(colorizer, source, suffix))) as other:
            covers = [next(iter(each.demux(each.streams.video[1]))) for each in (one, other)]
            assert bytes(covers[0]) == bytes(covers[1])
    assert caplog.text == ""
    for suffix in (".mov", ".avi"):
        with av.open(str(colorize(colorizer, source, suffix))) as other:
            assert len(other.streams.video) == 1
    assert caplog.text.count("stream 1 (cover, mjpeg) is not copied: ") == 2


def test_what_a_result_cannot_state_is_told(
    colorizer: Colorizer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wide = make(tmp_path / "a.mkv", "libx264", frames=2, sample_aspect_ratio=Fraction(16, 11))
    for suffix, codec in ((".mkv", "h264"), (".avi", "mpeg4"), (".mov", "prores"), (".mp4", "vp9")):
        with av.open(str(colorize(colorizer, wide, suffix, codec=codec))) as film:
            assert film.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    assert caplog.text == ""
    colorize(colorizer, wide, codec="ffv1")
    assert "the pixel aspect ratio 16/11 is lost: ffv1 in matroska cannot record it" in caplog.text
    for name, codec, pix_fmt in (("c.webm", "libvpx-vp9", "yuva420p"), ("c.mov", "png", "rgba")):
        caplog.clear()
        result = colorize(colorizer, make(tmp_path / name, codec, pix_fmt, frames=2), ".mkv")
        assert "the transparency is lost" in caplog.text
        with av.open(str(result)) as film:
            assert "alpha_mode" not in {each.lower() for each in film.streams.video[0].metadata}
    chapters = [{"id": 1, "start": 0, "end": 50, "time_base": Fraction(1, 1000), "metadata": {}}]
    turned = make(tmp_path / "b.mp4", "libx264", frames=2, rotation=90, chapters=chapters)
    colorize(colorizer, turned, ".avi")
    assert "the rotation is lost: AVI does not support it" in caplog.text
    assert "the chapters are lost: AVI does not support them" in caplog.text


def test_the_message_names_a_container_that_holds_the_subtitles(colorizer: Colorizer, tmp_path: Path) -> None:
    plain = with_more(make(tmp_path / "plain.mkv", "libx264", frames=3), tmp_path / "a.mkv")
    with pytest.raises(UnsupportedError, match=r"cannot contain its subtitles \(\w+\); choose a result in .mkv$"):
        colorize(colorizer, plain, ".mp4")


def test_a_film_that_begins_late_is_whole(colorizer: Colorizer, tmp_path: Path) -> None:
    times = [clips.UNIT.denominator * 5 + number * 1000 for number in range(6)]
    for suffix in (".mkv", ".mp4"):
        source = make(tmp_path / f"late{suffix}", "libx264", times=times)
        target = tmp_path / f"result{suffix}"
        assert not colorize_film(colorizer, source, target).losses
        assert times_of(target) == times_of(source)


def test_nothing_is_left_beside_a_result_that_was_refused(colorizer: Colorizer, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mkv", times=clips.UNEVEN)
    mood = ROOT / "docs/pictures/gogh_auvers.jpg"
    with pytest.raises(UnsupportedError):
        colorize(colorizer, source, ".avi")
    with pytest.raises(ConfigError, match="the frames are 0 to 11"):
        colorize(colorizer, source, references={99: mood})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.mkv"]


@pytest.mark.parametrize(
    ("codec", "suffix", "encoded"),
    [
        ("ffv1", ".mp4", "h264"),
        ("mpeg4", ".avi", "mpeg4"),
        ("libvpx-vp9", ".webm", "vp9"),
        ("libx265", ".mp4", "hevc"),
        ("utvideo", ".avi", "ffv1"),
        ("libx264", ".webm", "vp9"),
    ],
)
def test_codecs(codec: str, suffix: str, encoded: str, colorizer: Colorizer, tmp_path: Path) -> None:
    fast = {"libvpx-vp9": {"cpu-used": "8"}, "libx265": {"x265-params": "log-level=error"}}.get(codec)
    source = make(tmp_path / ("a.avi" if codec in ("mpeg4", "utvideo") else "a.mkv"), codec, frames=6, options=fast)
    target = colorize(colorizer, source, suffix)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == encoded
    assert np.allclose(np.array(times_of(source), float), np.array(times_of(target), float), atol=1e-3)
    for one, other in zip(frames_of(source), frames_of(target), strict=True):
        assert np.abs(plane(one).astype(int) - plane(other)).mean() < 4


@pytest.mark.parametrize(("suffix", "codec", "full"), [(".mp4", "hevc", True), (".mov", "prores", False)])
def test_range(suffix: str, codec: str, full: bool, colorizer: Colorizer, tmp_path: Path) -> None:
    """ProRes cannot say that it has the full range, so it gets the limited one."""
    source = make(tmp_path / "a.mkv", pix_fmt="yuv420p", frames=1, shots=1, color_range=2)
    (before,), (after,) = frames_of(source), frames_of(colorize(colorizer, source, suffix, codec=codec))
    wanted = plane(before).astype(float) * (1 if full else 219 / 255 * 4) + (0 if full else 64)
    assert np.abs(wanted - plane(after)).mean() < (5 if full else 6)
    assert after.color_range == (2 if full else 1)


@pytest.mark.parametrize(("size", "pix_fmt"), [((161, 120), "yuv444p"), ((160, 121), "yuv422p")])
def test_odd_sides(size: tuple[int, int], pix_fmt: str, colorizer: Colorizer, tmp_path: Path) -> None:
    """H.264 has no odd sides with halved chroma."""
    target = colorize(colorizer, make(tmp_path / "a.mkv", size=size, frames=2), ".mp4")
    frame = frames_of(target)[0]
    assert (frame.width, frame.height, frame.format.name) == (*size, pix_fmt)


def test_codec_and_quality(colorizer: Colorizer, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", frames=4)
    sizes = [colorize(colorizer, source, ".mp4", crf=crf).stat().st_size for crf in (10, 40)]
    assert sizes[0] > 2 * sizes[1]
    lossless = colorize(colorizer, source, ".mp4", codec="libx264", crf=0)
    assert all((plane(a) == plane(b)).all() for a, b in zip(frames_of(source), frames_of(lossless), strict=True))
    assert frames_of(colorize(colorizer, source, ".mov", codec="prores"))[0].format.name == "yuv422p10le"
    for options, message in (
        ({"codec": "nosuch"}, "there is no codec 'nosuch'; use one of h264"),
        ({"codec": "ffv1"}, ".mp4 files cannot contain ffv1; choose a result in .mkv"),
        ({"crf": 60}, "--crf must be at most 51 with libx264, not 60"),
        ({"codec": "mpeg4", "crf": 3}, "--crf applies to h264, hevc, vp9, av1, not to mpeg4"),
    ):
        with pytest.raises(ConfigError) as error:
            colorize(colorizer, source, ".mp4", **options)
        assert message in str(error.value)


def test_shots_are_colored_alone(colorizer: Colorizer, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", frames=9, shots=3)
    report = colorize_film(colorizer, source, tmp_path / "b.mkv")
    assert (report.frames, report.shots, report.resumed) == (9, 3, 0)


def test_hints(colorizer: Colorizer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make(tmp_path / "a.mkv", pix_fmt="yuv444p", frames=8, shots=2)
    plain = frames_of(colorize(colorizer, source))
    # In the second shot only; and one that is for no frame.
    hints = [{"x": 0.5, "y": 0.5, "radius": 0.2, "color": "#2040ff", "frame": frame} for frame in (5, 99)]
    hinted = frames_of(colorize(colorizer.with_hints(hints), source))
    for number, (one, other) in enumerate(zip(plain, hinted, strict=True)):
        blue = (plane(other, 1).astype(int) - plane(one, 1))[55:65, 75:85].mean()
        assert blue > 8 if number >= 4 else blue == 0
    assert "hint 2 is for frame 99, but the file has frames 0 to 7; the hint has no effect" in caplog.text


def test_refused(colorizer: Colorizer, tmp_path: Path) -> None:
    cases: list[tuple[Path, str]] = []
    cases.append((make(tmp_path / "i.mp4", "libx264", frames=3, options={"x264-params": "interlaced=1"}), "interlaced"))
    hdr = {"colorspace": 9, "color_primaries": 9, "color_trc": 16}
    cases.append((make(tmp_path / "h.mkv", "libx264", "yuv420p10le", frames=2, **hdr), r"HDR \(PQ\)"))
    sound = tmp_path / "s.mp4"
    with av.open(str(sound), "w") as output:
        audio = output.add_stream("aac", rate=48000)
        for tone in clips._tone(0.2):
            output.mux(audio.encode(tone))
        output.mux(audio.encode())
    cases.append((sound, "only sound; there is nothing to colorize"))
    (tmp_path / "n.mp4").write_bytes(b"not a film" * 100)
    cases.append((tmp_path / "n.mp4", "cannot be read: it is damaged, truncated before its index, or not a film"))
    with pytest.raises(UnsupportedError, match="frame rate varies, .* choose a result in .mkv"):
        colorize(colorizer, make(tmp_path / "v.mkv", times=clips.UNEVEN), ".avi")
    for source, message in cases:
        with pytest.raises(ArtcolorError, match=message):
            colorize(colorizer, source)
        assert not source.with_name(f"{source.stem}.color{source.suffix}").exists()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_cut_off(suffix: str, colorizer: Colorizer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fast = {"movflags": "faststart"} if suffix == ".mp4" else {}
    codec = "libx264" if suffix == ".mp4" else "ffv1"
    source = make(tmp_path / f"a{suffix}", codec, frames=96, size=(96, 64), container=fast)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    target = tmp_path / f"b{suffix}"
    report = colorize_film(colorizer, source, target)
    assert report.losses
    assert 20 < report.frames < 96
    assert len(frames_of(target)) == report.frames
    assert "truncated" in caplog.text or "damaged" in caplog.text


def loud(path: Path) -> float:
    """When the tone begins, in seconds after the first frame of the picture, as players play it."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        begin = float(frames[0].pts * frames[0].time_base) + int(np.argmax(np.abs(wave) > 0.02)) / stream.rate
    return begin - float(times_of(path)[0])


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_sound_and_picture_stay_together(suffix: str, colorizer: Colorizer, tmp_path: Path) -> None:
    """AAC begins with samples that MP4 hides. Matroska does not, so its streams may begin a frame of it later."""
    source = make(tmp_path / "a.mp4", "libx264", sound="aac")
    target = colorize(colorizer, source, suffix)
    assert loud(target) == pytest.approx(loud(source), abs=1e-3)
    assert 0 <= float(times_of(target)[0]) < (0.022 if suffix == ".mkv" else 0.001)
    assert [data for data, _ in packets_of(target, "audio")] == [data for data, _ in packets_of(source, "audio")]
