# The server and what several nodes need beside it. Built with the packages that the tests ran with: every one pinned, every
# file checked against its hash. `--build-arg LOCKS="cluster local"` adds what the embedded models run on.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
ARG LOCKS="cluster"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/ requirements/
RUN python3 -m venv /opt/runstead \
    && for lock in $LOCKS; do \
         /opt/runstead/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/$lock.txt || exit 1; \
       done
# The backend that makes a wheel of the sources stays behind with this stage.
RUN python3 -m venv /opt/backend \
    && /opt/backend/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/backend/bin/python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
    && /opt/runstead/bin/python -m pip install --no-deps --no-index wheels/*.whl \
    && /opt/runstead/bin/runstead --version

FROM ${PYTHON}
RUN groupadd --gid 10001 runstead \
    && useradd --uid 10001 --gid runstead --home-dir /var/lib/runstead --create-home --shell /usr/sbin/nologin runstead
COPY --from=build /opt/runstead /opt/runstead
ENV PATH=/opt/runstead/bin:$PATH PYTHONDONTWRITEBYTECODE=1 RUNSTEAD_DATA_DIR=/var/lib/runstead
USER 10001:10001
WORKDIR /var/lib/runstead
VOLUME /var/lib/runstead
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a restart does not bring a database back. The start may wait half a minute for one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["runstead"]
# Others can reach a container's port, so RUNSTEAD_API_KEYS has to be set.
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
