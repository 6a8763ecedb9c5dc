#!/usr/bin/env bash
# A Flink cluster on this machine: a job manager and two task managers of one slot each, in .flink/ of the checkout.
#
#   engines/flink.sh up      start what does not run; prints the options for `massivetext run --runner flink --`
#   engines/flink.sh down    stop it
#
# FLINK_PORT: of the REST interface, default 8081; the next one is the job manager's own. FLINK_HOME: where downloads,
# logs and process ids are kept, default .flink. Flink comes from PyPI, where apache-flink-libraries carries its jars.
set -eu
cd "$(dirname "$0")/.."
version=1.20.3
sha256=f07f07a46bb272c1e851379ed92105928367019db31240091a5367fc92800289
home=$(mkdir -p "${FLINK_HOME:-.flink}" && cd "${FLINK_HOME:-.flink}" && pwd)
port=${FLINK_PORT:-8081}
python=${PYTHON:-.venv/bin/python}
jar=$home/massivetext-flink.jar

need() { command -v "$1" >/dev/null || { echo "flink: $1 is missing: $2" >&2; exit 1; }; }

fetch() { # Flink's runtime and its log, 130 MB, out of an archive of 230 MB
  [ -e "$home/lib/.$version" ] && return
  "$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$home/download" "apache-flink-libraries==$version"
  local archive
  archive=$(ls "$home"/download/apache?flink?libraries-$version.tar.gz)
  echo "$sha256  $archive" | sha256sum --check --quiet
  mkdir -p "$home/lib"
  tar -xzf "$archive" -C "$home/lib" --strip-components=3 --wildcards '*/deps/lib/flink-dist-*.jar' '*/deps/lib/log4j*.jar'
  touch "$home/lib/.$version"
  rm -r "$home/download"
}

build() {
  [ "$jar" -nt engines/flink/Tasks.java ] && return
  rm -rf "$home/classes"
  javac -nowarn -d "$home/classes" -cp "$home/lib/*" engines/flink/Tasks.java
  jar --create --file "$jar" -C "$home/classes" .
}

configure() {
  mkdir -p "$home/conf" "$home/log" "$home/tmp"
  cat >"$home/conf/config.yaml" <<END
jobmanager: {rpc: {address: 127.0.0.1, port: $((port + 1))}, bind-host: 127.0.0.1, memory: {process: {size: 768m}}}
rest: {address: 127.0.0.1, bind-address: 127.0.0.1, port: $port}
taskmanager: {host: 127.0.0.1, bind-host: 127.0.0.1, numberOfTaskSlots: 1}
io: {tmp: {dirs: "$home/tmp"}}
web: {upload: {dir: "$home/tmp"}}
heartbeat: {interval: 2000, timeout: 10000}
restart-strategy: {type: fixed-delay, fixed-delay: {attempts: 10, delay: 1s}}
END
  printf '%s\n' 'rootLogger.level = INFO' 'rootLogger.appenderRef.file.ref = file' 'appender.file.type = File' \
    'appender.file.name = file' 'appender.file.fileName = ${sys:log.file}' 'appender.file.layout.type = PatternLayout' \
    'appender.file.layout.pattern = %d %-5p %c - %m%n' >"$home/conf/log4j.properties"
}

runs() { [ -e "$home/$1.pid" ] && kill -0 "$(cat "$home/$1.pid")" 2>/dev/null; }

start() { # NAME, then what java takes
  local name=$1
  shift
  runs "$name" && return
  opens=$(printf ' --add-opens=java.base/%s=ALL-UNNAMED' java.lang java.util java.net java.nio java.time java.util.concurrent)
  # shellcheck disable=SC2086
  PATH="$PWD/.venv/bin:$PATH" nohup java $opens "-Dlog.file=$home/log/$name.log" \
    "-Dlog4j.configurationFile=file:$home/conf/log4j.properties" -cp "$home/lib/*" "$@" \
    >"$home/log/$name.out" 2>&1 </dev/null &
  echo $! >"$home/$name.pid"
}

answer() { "$python" -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/$1', timeout=5).read().decode())" 2>/dev/null; }

up() {
  need java "install a JDK of version 11 or 17"
  need javac "install a JDK, not a JRE alone"
  need "$python" "run 'make setup', or name one in PYTHON"
  fetch
  build
  configure
  start jobmanager -Xmx384m org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$home/conf"
  for number in 1 2; do
    start "taskmanager-$number" -Xmx384m -XX:MaxDirectMemorySize=384m \
      org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$home/conf" \
      -D taskmanager.resource-id="taskmanager-$number" -D taskmanager.cpu.cores=1 \
      -D taskmanager.memory.framework.heap.size=128m -D taskmanager.memory.task.heap.size=256m \
      -D taskmanager.memory.framework.off-heap.size=128m -D taskmanager.memory.task.off-heap.size=128m \
      -D taskmanager.memory.network.min=128m -D taskmanager.memory.network.max=128m \
      -D taskmanager.memory.managed.size=128m -D taskmanager.memory.jvm-metaspace.size=128m \
      -D taskmanager.memory.jvm-overhead.min=128m -D taskmanager.memory.jvm-overhead.max=128m
  done
  for _ in $(seq 240); do
    case "$(answer overview)" in *'"taskmanagers":2'*) echo "--flink_master=127.0.0.1:$port --flink_jar=$jar"; return ;; esac
    sleep .5
  done
  echo "flink: the cluster did not come up; see $home/log" >&2
  exit 1
}

down() {
  for name in taskmanager-1 taskmanager-2 jobmanager; do
    runs "$name" && kill "$(cat "$home/$name.pid")"
    rm -f "$home/$name.pid"
  done
}

case ${1:-} in
  up | down) "$1" ;;
  *) echo "usage: engines/flink.sh up | down" >&2; exit 2 ;;
esac
