# flagconsole's server, and its command line: docs/containers.md tells how to run it.
FROM python:3.13-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY themes themes
# The same versions as in the tests, as wheels: nothing is compiled.
RUN python -m venv --without-pip /opt/flagconsole \
    && pip --python /opt/flagconsole/bin/python install --no-cache-dir --only-binary=:all: -c constraints.txt '.[postgres,fast]'

FROM python:3.13-slim-bookworm
# A user of its own, with one folder to write to: the root file system may be read-only.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin flagconsole \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/flagconsole /opt/flagconsole
ENV PATH=/opt/flagconsole/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    FLAGCONSOLE_STORE=sqlite:/data/flagconsole.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
# Ready is who answers 200: the store can be reached, and everything in it has been read.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/health', timeout=2)"]
ENTRYPOINT ["flagconsole"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8765"]
