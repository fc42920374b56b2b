# syntax=docker/dockerfile:1

# The same two commands as `make setup`, in a stage whose compilers and caches stay behind.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/ipfs-gateway
ENV PATH=/opt/ipfs-gateway/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
# With the setuptools that is locked: in isolation another one is fetched, without a hash.
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid gateway --home-dir /var/lib/ipfs-gateway --create-home gateway \
    && install -d -o gateway -g gateway /var/cache/ipfs-gateway
COPY --from=build /opt/ipfs-gateway /opt/ipfs-gateway
ENV PATH=/opt/ipfs-gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_SERVER__LISTEN=0.0.0.0:8080 \
    GATEWAY_CACHE__DIRECTORY=/var/cache/ipfs-gateway
USER 10001:10001
WORKDIR /var/lib/ipfs-gateway
VOLUME /var/cache/ipfs-gateway

# 8080: content. 8081: the operator's listener, on the container's loopback until
# GATEWAY_ADMIN__LISTEN and GATEWAY_ADMIN__TOKEN say otherwise.
EXPOSE 8080 8081
# http.client takes no proxy from the environment, as urllib does.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8081, timeout=2); c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"]

# SIGTERM: requests under way are finished, then it leaves with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["ipfs-gateway"]
CMD ["serve"]
