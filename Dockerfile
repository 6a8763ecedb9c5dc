# The command line in a container: docker build -t massivetext . && docker run -v "$PWD:/data" massivetext run mine.yaml -o out
FROM python:3.11-slim
WORKDIR /opt/massivetext
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY massivetext massivetext
COPY filters filters
COPY pipelines pipelines
RUN pip install --no-cache-dir --no-compile '.[pipeline]' && rm -rf build *.egg-info && useradd --create-home curator
# Kernels are compiled once and cached here; mount a volume to keep them between containers.
ENV NUMBA_CACHE_DIR=/home/curator/kernels
USER curator
WORKDIR /data
ENTRYPOINT ["massivetext"]
CMD ["--help"]
