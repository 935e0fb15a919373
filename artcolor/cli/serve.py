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
        str, typer.Option(metavar="HOST", help="Address to listen on; one that other machines reach needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="ARTCOLOR_TOKEN",
            show_envvar=True,
            help="Clients must send it. Other users see options of commands, so better set the variable.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Colorizes where a request names no model; also the path of a weights or ONNX file.",
            autocompletion=complete_models,
        ),
    ] = DEFAULT_MODEL,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Where the networks run: cuda, mps, cpu or auto.")
    ] = "cpu",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Further name by which clients call the server; repeat.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Origin whose pages may use the server, as https://a.org; repeat."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the page to color on, and an HTTP API.

    Only this machine reaches the server unless --host says otherwise. Nothing that is sent is stored on the disk.
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
        say(f"artcolor listens on {address}; Ctrl-C ends it")
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
