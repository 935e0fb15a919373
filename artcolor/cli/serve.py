"""`artcolor serve`."""

from typing import Annotated
from urllib.parse import quote

import typer

from artcolor.cli.completion import complete_models
from artcolor.cli.help import COLORIZING, EXIT_CODES, Command
from artcolor.cli.output import extra, say
from artcolor.cli.stopping import stoppable
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.zoo.names import check_name

app = typer.Typer()


@app.command(cls=Command, rich_help_panel=COLORIZING, epilog=EXIT_CODES)
def serve(
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Address to listen on. One that other machines can reach requires --token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 7860,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="ARTCOLOR_TOKEN",
            show_envvar=True,
            help="Token that clients must send. Prefer the variable, because other users can see options.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Default model of requests: a name, or the path of a weights or ONNX file.",
            autocompletion=complete_models,
        ),
    ] = DEFAULT_MODEL,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device for the networks: cuda, mps, cpu or auto.")
    ] = "cpu",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Another host name of the server. Repeat for more.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="Origin whose pages may use the API, such as https://example.org. Repeat for more."
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the coloring page and an HTTP API.

    By default, only this machine can reach the server; see --host. Uploads are never stored on disk.
    """
    check_name(model)
    with extra("serve"):
        from artcolor.serve.run import run
    from artcolor.serve.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        token=token,
        model=model,
        device=device,
        allow_hosts=tuple(allow_host or ()),
        allow_origins=tuple(allow_origin or ()),
    )

    def started(address: str) -> None:
        say(f"artcolor listens on {address}; press Ctrl-C to stop")
        if open_:
            import threading
            import webbrowser

            # The page takes the token out of its address; what follows # is never sent.
            page = f"{address}/" if token is None else f"{address}/#token={quote(token, safe='')}"
            # Some browsers return only when they are closed, and until then they need the server.
            threading.Thread(target=webbrowser.open, args=[page], daemon=True).start()

    with stoppable() as stop:
        run(settings, started)
    if stop.status is not None:
        raise typer.Exit(stop.status)
