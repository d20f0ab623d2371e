#!/bin/bash
# Trains on one Cloud TPU VM: creates it, builds there, trains, copies the run here, and deletes it.
#
#   DATA=mydata RUN=runs/mine examples/gcloud-tpu.sh --backbone resnet18 --epochs 20
#
# Options go on to `singleshot train`. DATA is a folder here, which is copied; without it the VM downloads COCO 2017.
# Needs gcloud, logged in, and a project whose Cloud TPU API is on (`gcloud config set project ID`).
#
# The VM costs money until it is deleted. That happens at the end, also after an error or Ctrl-C, unless KEEP=1 is set. A
# second call goes on with a VM of that name that is there, and with its run.
#
# To change: ZONE, ACCELERATOR and VERSION, which belong together, and SPOT=1 for a VM that is cheaper and may be taken
# away. One host only, all of whose chips train together: v5litepod-1, -4 or -8 with v2-alpha-tpuv5-lite; v6e-1, -4 or -8
# with v2-alpha-tpuv6e; v2-8 or v3-8 with tpu-ubuntu2204-base. Larger slices have several hosts, each of which
# runs a process that a launcher starts; this script starts one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name="${NAME:-singleshot}"
zone="${ZONE:-us-west4-a}"
accelerator="${ACCELERATOR:-v5litepod-8}"
version="${VERSION:-v2-alpha-tpuv5-lite}"
data="${DATA:-}"
run="${RUN:-runs/tpu}"

fail() {
  echo "examples/gcloud-tpu.sh: $1" >&2
  exit 1
}
for tool in gcloud git; do
  command -v "$tool" >/dev/null || fail "no $tool on PATH"
done
[[ -z "$data" || -d "$data" ]] || fail "DATA: got '$data', expected a folder"
[[ ! -e "$run" ]] || fail "RUN: $run is there already; choose another"

on_vm() {
  gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --command="$1"
}

copy() {
  gcloud compute tpus tpu-vm scp --recurse "$1" "$2" --zone="$zone"
}

archive=""
created=false
finish() {
  [[ -z "$archive" ]] || rm -f "$archive"
  "$created" || return 0
  # The program writes a checkpoint when it is stopped. What it wrote is root's.
  # shellcheck disable=SC2016  # the VM's user
  on_vm 'sudo docker stop --time=120 singleshot; [ ! -e singleshot/runs ] || sudo chown -R "$USER" singleshot/runs' || true
  mkdir -p "$(dirname "$run")"
  copy "$name:~/singleshot/runs/tpu" "$run" || echo "examples/gcloud-tpu.sh: no run was copied" >&2
  if [[ -n "${KEEP:-}" ]]; then
    echo "The VM is still there: gcloud compute tpus tpu-vm delete $name --zone=$zone"
  else
    gcloud compute tpus tpu-vm delete "$name" --zone="$zone" --quiet
  fi
}
trap finish EXIT

if ! gcloud compute tpus tpu-vm describe "$name" --zone="$zone" >/dev/null 2>&1; then
  created=true
  gcloud compute tpus tpu-vm create "$name" --zone="$zone" --accelerator-type="$accelerator" --version="$version" \
    ${SPOT:+--spot}
fi
created=true

# This tree, as it was committed last, and the data.
archive="$(mktemp --suffix=.tar.gz)"
git archive --format=tar.gz --output="$archive" HEAD
copy "$archive" "$name:~/singleshot.tar.gz"
on_vm 'mkdir -p singleshot && tar --extract --gzip --file singleshot.tar.gz --directory singleshot'
if [[ -n "$data" ]]; then
  on_vm 'rm -rf singleshot/data'
  copy "$data" "$name:~/singleshot/data"
  get_data=true
else
  get_data="build/release/singleshot data download coco2017 data"
fi

# scripts/setup knows Debian, and the VM is an Ubuntu with Docker. A privileged container with the VM's network has the TPU.
train="scripts/setup --tpu && scripts/build && $get_data && exec build/release/singleshot train --device tpu --data data"
train+=" --precision bf16 --save runs/tpu --resume$(printf ' %q' "$@")"
on_vm "sudo docker run --rm --name=singleshot --privileged --net=host --volume=\$HOME/singleshot:/singleshot \
  --workdir=/singleshot debian:12 bash -c $(printf '%q' "$train")"
