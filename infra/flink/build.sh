#!/bin/sh
# Builds the jar of the Flink job: build.sh FOLDER, the folder of the native library. If Maven's registry does not serve
# the Kinesis connector, it prints a message and builds a jar that reads and writes files only.
set -eu
library=$1/librightsizer_flink.so
cd "$(dirname "$0")"

[ "$(uname -s)" = Linux ] || {
    echo "flink: the jar needs the native library of Linux, where clusters run, and this is $(uname -s). Build it on Linux, for example in a container." >&2
    exit 1
}

for program in java mvn; do
    command -v "$program" >/dev/null || {
        echo "flink: $program is missing: the job is built with Java 17 and Maven. Debian, Ubuntu: apt install openjdk-17-jdk-headless maven. Fedora: dnf install java-17-openjdk-devel maven. macOS: brew install openjdk@17 maven." >&2
        exit 1
    }
done

native=target/native/linux-$(uname -m)
mkdir -p "$native"
cp "$library" "$native/"
profile=
if [ "${RIGHTSIZER_FLINK_KINESIS:-1}" = 1 ]; then
    version=$(sed -n 's/.*<kinesis.connector.version>\(.*\)<.*/\1/p' pom.xml)
    connector=org.apache.flink:flink-connector-aws-kinesis-streams:$version
    if mvn --batch-mode --quiet dependency:get -Dtransitive=false -Dartifact="$connector" >/dev/null 2>&1; then
        profile=-Pkinesis
    else
        echo "flink: Maven's registry does not serve the Kinesis connector here ($connector): this jar reads and writes files alone" >&2
    fi
fi
echo "flink: packing target/rightsizer-flink.jar"
mvn --batch-mode --quiet ${profile:+"$profile"} package
# What a cluster brings, for those who run the job without one.
mvn --batch-mode --quiet dependency:build-classpath -Dmdep.outputFile=target/cluster.classpath -Dmdep.includeScope=provided
