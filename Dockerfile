# syntax=docker/dockerfile:1
# guide with its weights, for `guide serve` and every other command; docs/deploy.md says how it is run.
#
#   docker build -t guide .
#   docker build -t guide:gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .

FROM python:3.11-slim-bookworm AS build
# The index of torch's builds: the one without CUDA is two gigabytes smaller.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/guide
WORKDIR /src
COPY constraints.txt ./
# By itself, so that a change of the code does not fetch it again.
RUN /opt/guide/bin/pip install --extra-index-url "$TORCH_INDEX" -c constraints.txt torch
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY kb kb
COPY ingest ingest
COPY models models
COPY rag rag
COPY api api
RUN /opt/guide/bin/pip install --extra-index-url "$TORCH_INDEX" -c constraints.txt '.[mcp]'

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home guide && install -d -o guide -g guide /data
COPY --from=build /opt/guide /opt/guide
# Another address than loopback needs GUIDE_API_KEY: the server does not start without.
ENV PATH=/opt/guide/bin:$PATH \
    GUIDE_HOME=/data/guide \
    GUIDE_HOST=0.0.0.0 \
    HF_HOME=/data/hub \
    PYTHONUNBUFFERED=1
USER guide
WORKDIR /home/guide
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["guide"]
CMD ["serve"]
