#!/usr/bin/env bash
# Brings android.jar of API 23 and dx, which Debian had until bullseye, into .tools; installs nothing.
#
# usage: android_demo/fetch_tools.sh
set -euo pipefail
cd "$(dirname "$0")"
[ -e .tools/android.jar ] && [ -e .tools/dx.jar ] && exit 0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial} .tools
touch "$scratch/state/status"
# The mirror is the one that this machine's own apt uses.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" > "$scratch/sources.list"
apt=(apt-get -qq -o "Dir::State=$scratch/state" -o "Dir::State::status=$scratch/state/status"
  -o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::Cache=$scratch/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$scratch" && "${apt[@]}" download libandroid-23-java dalvik-exchange)
for package in "$scratch"/*.deb; do
  dpkg -x "$package" "$scratch/unpacked"
done
cp -L "$scratch/unpacked/usr/share/java/com.android.dx.jar" .tools/dx.jar
cp -L "$scratch/unpacked/usr/share/java/com.android.android-23.jar" .tools/android.jar
