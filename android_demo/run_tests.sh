#!/usr/bin/env bash
# Runs the JUnit tests of core/ and bundle/ on the JVM. Needs javac and, from Debian, junit4 and libandroid-json-java.
#
# usage: android_demo/run_tests.sh [JAR]
#
# JAR holds other builds of the classes under test, such as those of a dex file. $SODKERAS_RUN may name a .npz with what
# Python made of a photo with the network in the package (tests/android_demo/test_jvm.py writes one).
set -euo pipefail
set -- ${1:+"$(realpath "$1")"}
cd "$(dirname "$0")"
jars=/usr/share/java/junit4.jar:/usr/share/java/hamcrest.jar:/usr/share/java/com.android.json.jar
command -v javac > /dev/null && [ -e /usr/share/java/junit4.jar ] && [ -e /usr/share/java/com.android.json.jar ] || {
  echo "The tests need: apt-get install openjdk-17-jdk-headless junit4 libhamcrest-java libandroid-json-java" >&2
  exit 3
}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac --release 8 -Xlint:all -Xlint:-options -Werror -cp "$jars" -d "$classes" \
  $(find core/src bundle/src -name '*.java')
tests=$(find {core,bundle}/src/test/java -name '*Test.java' | sed 's|.*/test/java/||; s|\.java$||; s|/|.|g' | sort)
java -Dsodkeras.presets=../sodkeras/presets ${SODKERAS_RUN:+"-Dsodkeras.run=$SODKERAS_RUN"} \
  -cp "${1:+$1:}$classes:core/src/test/resources:$jars" org.junit.runner.JUnitCore $tests
