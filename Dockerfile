# syntax=docker/dockerfile:1
# Three images: `full`, the default, with torch for the CPU; `onnx`, with onnxruntime and without torch; and `serve`, which
# is `full` with onnxruntime and the server (see compose.yaml).
#     docker build -t artcolor .
#     docker build -t artcolor:onnx --target onnx .
#     docker build -t artcolor:serve --target serve .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
RUN python -m venv /opt/artcolor
ENV PATH=/opt/artcolor/bin:$PATH
WORKDIR /src

FROM build AS build-full
# From PyPI, torch for Linux would bring CUDA.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --index-url https://download.pytorch.org/whl/cpu "torch>=2.6" "torchvision>=0.21"
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install .

FROM build-full AS build-serve
# The extras of this checkout, not a package:
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip pip install ".[serve,onnx]"

FROM build AS build-onnx
COPY requirements-onnx.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements-onnx.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

FROM python:${PYTHON}-slim AS base
# With a read-only root and any --user, /tmp is what can be written; a user without a name has no home either.
ENV PATH=/opt/artcolor/bin:$PATH \
    HOME=/tmp \
    USER=artcolor
USER 10001:10001
# As Ctrl-C: pictures that are being written are finished. Process 1 would ignore SIGTERM.
STOPSIGNAL SIGINT
WORKDIR /work
ENTRYPOINT ["artcolor"]
CMD ["--help"]

FROM base AS onnx
COPY --from=build-onnx /opt/artcolor /opt/artcolor
# `artcolor verify` needs torch.
HEALTHCHECK --interval=5m --timeout=30s \
    CMD ["python", "-c", "import artcolor, numpy; artcolor.colorize(numpy.zeros((64, 64), 'uint8'))"]

FROM base AS serve
COPY --from=build-serve /opt/artcolor /opt/artcolor
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/healthz', timeout=5)"]
# Other containers and the host reach it, so it wants ARTCOLOR_TOKEN.
CMD ["serve", "--host", "0.0.0.0"]

FROM base AS full
COPY --from=build-full /opt/artcolor /opt/artcolor
HEALTHCHECK --interval=5m --timeout=1m CMD ["artcolor", "verify", "unet"]
