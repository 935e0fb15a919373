"""A Hugging Face Space that colorizes: a picture, sliders, hints that are painted on it, and alternatives."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

import artcolor

MODEL = "unet"
MAX_PIXELS = 16_000_000
ALTERNATIVES = 4
HEAD = artcolor.get_model(MODEL, weights="DEFAULT").head
INTRODUCTION = """# artcolor
Colorizes grayscale paintings. **The colors are a guess, not a record**: say so where you show them.
Open a picture, paint on it where you know a color, and press Colorize. A painted place gets the hue and saturation of
the brush; its lightness stays that of the picture."""


@functools.lru_cache(maxsize=8)
def open_session(mode: str, size: tuple[int, int], pixels: bytes) -> artcolor.Session:
    """Keeps what the network makes of the newest pictures, so that moving a slider costs little."""
    return artcolor.Session(Image.frombytes(mode, size, pixels), MODEL)


@contextlib.contextmanager
def opened(editor: dict[str, Any] | None) -> Iterator[tuple[artcolor.Session, str | None]]:
    """Yields a session of the picture in the editor, and the path of the hints that are painted on it."""
    picture = editor and editor["background"]
    if picture is None or picture.getbbox() is None:
        raise gr.Error("Open a picture first.")
    if picture.width * picture.height > MAX_PIXELS:
        raise gr.Error(f"The picture has {picture.width} × {picture.height} pixels; the limit is {MAX_PIXELS:,}.")
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB")
    painted = Image.new("RGBA", picture.size)
    for layer in editor["layers"]:
        painted.alpha_composite(layer.convert("RGBA"))
    with tempfile.TemporaryDirectory() as folder:
        hints = None
        # artcolor takes pixels that are at least half opaque as hints.
        if painted.getextrema()[3][1] >= 128:
            hints = str(Path(folder) / "hints.png")
            painted.save(hints)
        try:
            yield open_session(picture.mode, picture.size, picture.tobytes()), hints
        except artcolor.ArtcolorError as error:
            raise gr.Error(str(error)) from error


def decoding(vividness: float, temperature: float, strength: float) -> artcolor.Decoding:
    """Leaves to the model what is at its default, as the default temperature depends on the vividness."""
    return artcolor.Decoding(
        None if vividness == HEAD.vividness else vividness,
        None if temperature == HEAD.temperature else temperature,
        strength,
    )


def colorize(editor: Any, vividness: float, temperature: float, strength: float, seed: float | None) -> str:
    """Colorizes the picture; the file also says how."""
    with opened(editor) as (session, hints):
        guidance = artcolor.Guidance(hints=hints, seed=int(seed or 0) or None)
        image = session.render(guidance, decoding(vividness, temperature, strength))
        return save_bytes_to_cache(image.to_bytes("png"), "color.png", result.GRADIO_CACHE)


def alternatives(editor: Any, vividness: float, temperature: float, strength: float) -> list[tuple[Image.Image, str]]:
    """Colorizes small copies of the picture with other seeds."""
    with opened(editor) as (session, hints):
        small, how = session.preview(384), decoding(vividness, temperature, strength)
        seeds = range(1, ALTERNATIVES + 1)
        return [(small.render(artcolor.Guidance(hints=hints, seed=n), how).convert("RGB"), f"seed {n}") for n in seeds]


def choose(event: gr.SelectData) -> int:
    """Returns the seed of the alternative that was clicked."""
    return event.index + 1


with gr.Blocks(title="artcolor", delete_cache=(3600, 3600)) as demo:
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        with gr.Column():
            picture = gr.ImageEditor(
                label="Picture and hints",
                type="pil",
                format="png",
                sources=("upload", "clipboard"),
                transforms=(),
                layers=False,
                brush=gr.Brush(colors=["#27408b", "#8b1a1a", "#2e6b34", "#c8a165", "#e0ac8a", "#808080"]),
            )
            vividness = gr.Slider(0, 4, HEAD.vividness, step=0.1, label="Vividness: from muted to colorful")
            temperature = gr.Slider(0.05, 1, HEAD.temperature, step=0.05, label="Temperature: from pure to mixed")
            strength = gr.Slider(0, 2, 1, step=0.05, label="Strength: factor for chroma")
            seed = gr.Number(0, label="Seed: 0 for the most typical coloring", precision=0, minimum=0)
            with gr.Row():
                run, more = gr.Button("Colorize", variant="primary"), gr.Button("Alternatives")
        with gr.Column():
            result = gr.Image(label="A guess at the colors", interactive=False, buttons=["download", "fullscreen"])
            gr.Markdown("Other guesses appear below with Alternatives. Click one to see it in full.")
            gallery = gr.Gallery(
                show_label=False, columns=2, height="auto", object_fit="contain", allow_preview=False, buttons=[]
            )
    sliders = [vividness, temperature, strength]
    changes = [run.click, picture.upload, seed.change, *(each.release for each in sliders)]
    gr.on(changes, colorize, [picture, *sliders, seed], result, api_name="colorize", trigger_mode="always_last")
    more.click(alternatives, [picture, *sliders], gallery, api_name="alternatives")
    gallery.select(choose, None, seed, api_name=False)

if __name__ == "__main__":
    demo.queue(max_size=32).launch(max_file_size="32mb")
