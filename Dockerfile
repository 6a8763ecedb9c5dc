# The command line in a container: docker build -t massivetext . && docker run -v "$PWD:/data" massivetext run mine.yaml -o out
FROM python:3.11-slim
WORKDIR /opt/massivetext
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY massivetext massivetext
COPY filters filters
COPY pipelines pipelines
RUN pip install --no-cache-dir --no-compile '.[pipeline]' && rm -rf build *.egg-info && useradd --create-home curator
# Kernels are compiled once here, for all x86-64 machines with AVX2; on another machine, for its own processor.
RUN massivetext warm-up --portable || massivetext warm-up
USER curator
WORKDIR /data
ENTRYPOINT ["massivetext"]
CMD ["--help"]
