# hoifield on a CPU, as an ordinary user. Build from the root of the repository:
#   docker build -f docker/cpu.Dockerfile -t hoifield:cpu .
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    OMP_WAIT_POLICY=passive \
    HOIFIELD_CACHE=/clips/.hoifield \
    NUMBA_CACHE_DIR=/clips/.hoifield/numba

WORKDIR /source
# The lock is complete, so nothing else is resolved; it changes less often than the code, and comes first so that its layer is kept.
COPY requirements.lock ./
RUN python -m pip install --no-deps -r requirements.lock
COPY pyproject.toml setup.py README.md LICENSE NOTICE ./
COPY hoifield ./hoifield
COPY pretrained ./pretrained
RUN python -m pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 1000 hoifield \
    && mkdir /clips \
    && chown hoifield:hoifield /clips

USER hoifield
WORKDIR /clips
VOLUME /clips
ENTRYPOINT ["hoifield"]
CMD ["--help"]
