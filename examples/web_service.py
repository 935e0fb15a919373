"""Colorize pictures that a web service receives, with FastAPI and one `Colorizer` for all of its threads.

    pip install fastapi uvicorn python-multipart
    python examples/web_service.py [--port 8000] [--model unet]
    curl -F picture=@portrait.jpg http://127.0.0.1:8000/colorize -o color.png

The same holds for other frameworks on Starlette: call the colorizer in a thread, never in the event loop.
"""

import argparse
import os
import threading

import uvicorn
from fastapi import FastAPI, HTTPException, Response, UploadFile

from artcolor import Colorizer
from artcolor.errors import ImageError


def make_app(model="unet"):
    app = FastAPI(title="artcolor")
    # It is loaded once, and safe to use from several threads.
    colorizer = Colorizer(model)
    # FastAPI has 40 threads. More pictures at a time than cores need more memory, and are not done earlier.
    slots = threading.Semaphore(os.cpu_count() or 1)

    # Without `async`, so that FastAPI calls it in one of its threads.
    @app.post("/colorize", response_class=Response)
    def colorize(picture: UploadFile):
        try:
            with slots:
                colored = colorizer(picture.file)
        except ImageError as error:
            raise HTTPException(422, str(error)) from error
        return Response(colored.to_bytes("png"), media_type="image/png")

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--model", default="unet")
    given = parser.parse_args()
    uvicorn.run(make_app(given.model), port=given.port)


if __name__ == "__main__":
    main()
