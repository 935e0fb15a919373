#!/usr/bin/env python3
"""Colorizes pictures in GIMP 3 with artcolor: adds a layer with the colors.

GIMP's own Python has no torch. The picture goes to `artcolor serve` on this machine, or, if that does not run, through
the command `artcolor`.
"""

import dataclasses
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

MODELS = ("unet", "vae", "ae", "cnn", "cic", "splitbrain", "ae_report", "cnn_report", "vae_report")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# The server itself gives up after a minute or two.
SECONDS = 300
TRIES = 5
# What a PNG file begins with, and ends with.
PNG, END = b"\x89PNG\r\n\x1a\n", b"IEND"


class ColorizeError(Exception):
    """The message says to the person what went wrong, and what to do."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to colorize.

    Attributes:
        server: address of `artcolor serve`; empty uses the command only.
        command: name or path of the command; empty uses the server only.
        model: name of a model; empty uses the default one.
        vividness: as the command takes it; `None` is the model's default.
        strength: as the command takes it.
    """

    server: str = "http://127.0.0.1:7860"
    command: str = "artcolor"
    model: str = ""
    vividness: float | None = None
    strength: float = 1.0

    def options(self) -> dict[str, str]:
        """The options that differ from the defaults."""
        given = {"model": self.model} if self.model else {}
        if self.vividness is not None:
            given["vividness"] = f"{self.vividness:g}"
        if self.strength != 1:
            given["strength"] = f"{self.strength:g}"
        return given


def colorize(png: bytes, settings: Settings) -> bytes:
    """Colorizes a picture with the server if it runs, otherwise with the command.

    Args:
        png: the picture, as PNG.
        settings: where and how.

    Returns:
        The picture in color, as PNG.

    Raises:
        ColorizeError: neither can be used, or the picture or an option is refused.
    """
    if settings.server and is_artcolor(settings.server):
        return by_server(png, settings)
    if settings.command and (command := shutil.which(os.path.expanduser(settings.command))):
        return by_command(png, settings, command)
    raise ColorizeError(
        f"artcolor does not answer at {settings.server or '(no address)'}, and the command "
        f"{settings.command or '(none)'} is not found. Run `artcolor serve` in a terminal, or enter the path of the "
        "command in the dialog."
    )


def connect(server: str, seconds: float = SECONDS) -> http.client.HTTPConnection:
    """Prepares a connection to a server on this machine.

    Args:
        server: its address.
        seconds: for each answer.

    Raises:
        ColorizeError: the address makes no sense, or is that of another machine.
    """
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host not in LOOPBACK or parts.scheme != "http" or parts.path not in ("", "/"):
        raise ColorizeError(f"The server must be on this machine, such as http://127.0.0.1:7860, not {server}.")
    return http.client.HTTPConnection(host, port or 80, timeout=seconds)


def is_artcolor(server: str) -> bool:
    """Whether `artcolor serve` answers at an address; other programs like its port, too.

    Args:
        server: the address.

    Raises:
        ColorizeError: the address makes no sense, or is that of another machine.
    """
    connection = connect(server, 10)
    try:
        connection.request("GET", "/api/openapi.json")
        return json.loads(connection.getresponse().read())["info"]["title"] == "artcolor"
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False
    finally:
        connection.close()


def by_server(png: bytes, settings: Settings) -> bytes:
    """Colorizes a picture with the server.

    Args:
        png: the picture, as PNG.
        settings: where and how.

    Raises:
        ColorizeError: the server ends the connection, or refuses the picture or an option.
    """
    headers = {"Content-Type": "image/png"}
    if token := os.environ.get("ARTCOLOR_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    for left in reversed(range(TRIES)):
        connection = connect(settings.server)
        try:
            connection.request("POST", f"/api/colorize?{urlencode(settings.options())}", png, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ColorizeError(
                f"The connection to {settings.server} ended: {error or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        if answer.status == 200:
            return checked(body)
        if answer.status != 503 or not left:
            break
        # Many others ask at once.
        wait = answer.headers.get("Retry-After", "1")
        time.sleep(min(10, int(wait) if wait.isdecimal() else 1))
    try:
        said = json.loads(body)["error"]
    except (ValueError, LookupError, TypeError):
        said = f"HTTP status {answer.status}"
    raise ColorizeError(f"artcolor says: {said}")


def by_command(png: bytes, settings: Settings, command: str) -> bytes:
    """Colorizes a picture with the command.

    Args:
        png: the picture, as PNG.
        settings: how.
        command: path of the command.

    Raises:
        ColorizeError: it cannot be run, or refuses the picture or an option.
    """
    options = [word for name, value in settings.options().items() for word in (f"--{name}", value)]
    # GIMP tells its own Python where modules are; the command has another Python.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    try:
        done = subprocess.run(
            [command, "colorize", "-", "-o", "-", *options],
            input=png,
            capture_output=True,
            env=environment | {"NO_COLOR": "1", "PYTHONUTF8": "1", "COLUMNS": "1000"},
            timeout=SECONDS,
            # Without a window of its own on Windows.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ColorizeError(f"The command {command} cannot be run: {error}") from error
    if done.returncode != 0:
        lines = [
            line.strip("│ ") for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip("╭╰─╮╯ ")
        ]
        said = lines[-1].removeprefix("error: ") if lines else f"it ended with status {done.returncode}"
        raise ColorizeError(f"artcolor says: {said}")
    return checked(done.stdout)


def checked(png: bytes) -> bytes:
    """Returns what artcolor gave if it is PNG; GIMP could not tell what is wrong.

    Args:
        png: from the server or the command.

    Raises:
        ColorizeError: it is no PNG.
    """
    if not png.startswith(PNG) or END not in png[-16:]:
        raise ColorizeError(f"The answer is not a PNG file ({len(png)} bytes). Check that it comes from artcolor.")
    return png


def run_in_gimp() -> None:
    """Registers the plug-in. Only GIMP's Python has `gi`."""
    import gi

    gi.require_version("Gimp", "3.0")
    gi.require_version("GimpUi", "3.0")
    from gi.repository import Gimp, GimpUi, GLib, GObject

    def exported(image: Any, layer: Any | None) -> bytes:
        """The visible image, or one layer of it, as PNG in sRGB."""
        copy = image.duplicate()
        file = Gimp.temp_file("png")
        try:
            if layer is not None:
                alone = Gimp.Layer.new_from_drawable(layer, copy)
                for other in copy.get_layers():
                    other.set_visible(False)
                copy.insert_layer(alone, None, 0)
                alone.set_visible(True)
                alone.set_opacity(100)
                alone.set_mode(Gimp.LayerMode.NORMAL)
                _, x, y = alone.get_offsets()
                copy.resize(alone.get_width(), alone.get_height(), -x, -y)
            if copy.get_base_type() != Gimp.ImageBaseType.RGB:
                copy.convert_rgb()
            srgb = Gimp.ColorProfile.new_rgb_srgb()
            copy.convert_color_profile(srgb, Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC, True)
            export = Gimp.get_pdb().lookup_procedure("file-png-export")
            config = export.create_config()
            options = {"run-mode": Gimp.RunMode.NONINTERACTIVE, "image": copy, "file": file, "compression": 1}
            for name, value in (options | {"include-thumbnail": False}).items():
                config.set_property(name, value)
            if export.run(config).index(0) != Gimp.PDBStatusType.SUCCESS:
                raise ColorizeError(f"GIMP cannot export the image: {Gimp.get_pdb().get_last_error()}")
            _, content, _ = file.load_contents(None)
            return bytes(content)
        finally:
            copy.delete()
            if file.query_exists(None):
                file.delete(None)

    def add_layer(image: Any, png: bytes, below: Any | None) -> None:
        """Adds the colors above a layer, or above all."""
        file = Gimp.temp_file("png")
        image.undo_group_start()
        try:
            file.replace_contents(png, None, False, 0, None)
            if image.get_base_type() != Gimp.ImageBaseType.RGB:
                # Gray and indexed images have no layers in color.
                image.convert_rgb()
            layer = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, file)
            layer.set_name("Colors, a guess (artcolor)")
            layer.set_mode(Gimp.LayerMode.LCH_COLOR)
            if below is None:
                image.insert_layer(layer, None, 0)
            else:
                _, x, y = below.get_offsets()
                layer.set_offsets(x, y)
                image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
        finally:
            image.undo_group_end()
            if file.query_exists(None):
                file.delete(None)
        Gimp.displays_flush()

    def show_dialog(procedure: Any, config: Any) -> bool:
        GimpUi.init("artcolor")
        dialog = GimpUi.ProcedureDialog.new(procedure, config, "Colorize with artcolor")
        for name in ("vividness", "strength"):
            dialog.get_widget(name, GimpUi.ScaleEntry.__gtype__)
        dialog.fill(None)
        dialog.set_sensitive("vividness", True, config, "set-vividness", False)
        chosen = dialog.run()
        dialog.destroy()
        return chosen

    def run(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any, _: Any) -> Any:
        if run_mode == Gimp.RunMode.INTERACTIVE and not show_dialog(procedure, config):
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
        given = {name: config.get_property(name) for name in ("server", "command", "strength")}
        model = config.get_property("model")
        vividness = config.get_property("vividness") if config.get_property("set-vividness") else None
        settings = Settings(**given, model="" if model == "default" else model, vividness=vividness)
        Gimp.progress_init("Colorizing with artcolor")
        try:
            layer = None
            if config.get_property("source") == "layer":
                if len(drawables) != 1 or not drawables[0].is_layer() or drawables[0].is_group():
                    raise ColorizeError("Select one layer, neither a group nor a mask, or take the visible image.")
                layer = drawables[0]
            add_layer(image, colorize(exported(image, layer), settings), layer)
        except (ColorizeError, GLib.Error) as error:
            # GIMP shows it, or hands it to the script that called.
            message = error.message if isinstance(error, GLib.Error) else str(error)
            error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), message, 0)
            return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)

    class Artcolor(Gimp.PlugIn):
        """Tells GIMP what there is."""

        def do_set_i18n(self, name: str) -> bool:
            """The plug-in speaks English only."""
            return False

        def do_query_procedures(self) -> list[str]:
            """Names of procedures."""
            return ["artcolor-colorize"]

        def do_create_procedure(self, name: str) -> Any:
            """Describes the procedure, its place in the menu and its arguments."""
            made = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
            made.set_image_types("*")
            made.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
            made.set_menu_label("Colorize with _artcolor...")
            made.add_menu_path("<Image>/Colors")
            about = "Adds a layer that colors a grayscale picture"
            made.set_documentation(about, f"{about}. The colors are a guess. Needs artcolor on this machine.", name)
            made.set_attribution("The artcolor developers", "The artcolor developers", "2026")
            flags = GObject.ParamFlags.READWRITE
            source = Gimp.Choice.new()
            source.add("visible", 0, "The visible image", "")
            source.add("layer", 1, "The selected layer", "")
            made.add_choice_argument("source", "_Colorize", "What is colorized", source, "visible", flags)
            models = Gimp.Choice.new()
            for number, model in enumerate(("default", *MODELS)):
                models.add(model, number, model, "")
            made.add_choice_argument("model", "_Model", "Model of artcolor", models, "default", flags)
            about = "Otherwise the model's default"
            made.add_boolean_argument("set-vividness", "_Set the vividness", about, False, flags)
            about = "0: accurate but muted; 2: about as colorful as paintings"
            made.add_double_argument("vividness", "_Vividness", about, 0, 4, 2, flags)
            made.add_double_argument("strength", "S_trength", "Factor for chroma; 0 is gray", 0, 2, 1, flags)
            about = "Address of `artcolor serve` on this machine"
            made.add_string_argument("server", "Se_rver", about, Settings.server, flags)
            about = "Name or path of the command, used if the server is not running"
            made.add_string_argument("command", "Comma_nd", about, Settings.command, flags)
            return made

    Gimp.main(Artcolor.__gtype__, sys.argv)


if __name__ == "__main__":
    run_in_gimp()
