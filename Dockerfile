# One image for every service: `docker run localhost/millrace gatherer --agent-id GATHERER`. Other arguments are a verb of
# the command `millrace`: `docker run localhost/millrace status`.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/millrace
WORKDIR /src
COPY requirements.lock VERSION ./
RUN awk '/^[a-z]/ {wanted = /^uv==/} wanted' requirements.lock > uv.lock \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --requirement uv.lock
COPY examples examples
COPY libs libs
COPY packages packages
# As constraints of uv, the lock's versions and hashes hold, and the tools of development in it are not installed.
RUN UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_CONSTRAINT=requirements.lock UV_BUILD_CONSTRAINT=requirements.lock \
    /opt/build/bin/uv pip install --python /opt/millrace libs/* packages/*

FROM ${BASE}
RUN groupadd --gid 10001 millrace \
    && useradd --uid 10001 --gid millrace --home-dir /var/lib/millrace --create-home --shell /usr/sbin/nologin millrace
COPY --from=build /opt/millrace /opt/millrace
COPY examples /usr/share/millrace/examples
COPY --chmod=755 deploy/containers/entrypoint.sh /usr/local/bin/millrace-entrypoint
ENV PATH=/opt/millrace/bin:$PATH \
    MILLRACE_DATA_DIR=/var/lib/millrace \
    MILLRACE_PLUGIN_DIR=/usr/share/millrace/examples/strategies \
    MILLRACE_LOG_FORMAT=json \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /usr/share/millrace
ENTRYPOINT ["millrace-entrypoint"]
CMD ["--help"]
