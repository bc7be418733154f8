#!/bin/sh
# Makes FOLDER ready for run.sh: the counting plugin, an aarch64 Python and LiteRT, without chroot or root's apt state.
#
# usage: tflite/arm/setup.sh FOLDER
#
# Needs Debian with qemu-user (the dynamic one: only it takes plugins) and gcc. Packages come from the machine's own
# Debian mirror, wheels from its own package index. About 400 MB.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"
folder=$PWD
command -v qemu-aarch64 > /dev/null || { echo "install qemu-user first: apt-get install qemu-user" >&2; exit 1; }
gcc -shared -fPIC -O2 -o count.so "$here/count.c"

mkdir -p state/lists/partial cache/archives/partial root wheels site
touch state/status
key=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2> /dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[.*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list | head -n 1)
echo "deb [arch=arm64 signed-by=$key] $mirror bookworm main" > sources.list
set -- -o Dir::State="$folder/state" -o Dir::State::status="$folder/state/status" \
  -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Cache="$folder/cache" \
  -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
apt-get "$@" update
apt-get "$@" install -y --no-install-recommends --download-only python3.11-minimal libpython3.11-stdlib libstdc++6
for package in cache/archives/*.deb; do dpkg -x "$package" root; done

python3 -m pip download --quiet --only-binary :all: --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 --python-version 311 --implementation cp \
  --abi cp311 --abi abi3 --abi none --dest wheels ai-edge-litert==2.3.0 numpy==2.3.4
for wheel in wheels/*.whl; do python3 -m zipfile -e "$wheel" site; done

# LiteRT asks this file which processor it is on; without it QEMU 7.2 crashes.
cpu() {
  mkdir -p "root-$1/proc" && cp -rs "$folder/root/." "root-$1/"
  printf 'processor\t: 0\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 1\n\n' \
    "$3" "$2" > "root-$1/proc/cpuinfo"
}
cpu cortex-a76 0xd0b "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
cpu cortex-a53 0xd03 "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
