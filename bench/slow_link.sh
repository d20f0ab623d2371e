#!/usr/bin/env bash
# Training by two processes over a slow link: how much of the transfer the backward pass hides.
#
#     bench/slow_link.sh PROGRAM [RATE] [bench train's options]...      (as root; RATE as tc takes it, 1gbit)
#
# Two network namespaces stand for two machines, a pair of virtual Ethernet devices for the link, tc's token buckets for
# its speed. Prints a step's seconds of one process alone and of two over the link, without and with the limit, and the
# slow step over the longer of computing and transfer. Each process has one thread.
set -euo pipefail

program="$(realpath "${1:?usage: bench/slow_link.sh PROGRAM [RATE] [bench train\'s options]...}")"
rate="${2:-1gbit}"
shift $(($# < 2 ? $# : 2))
options=(--backbone resnet18 --batch-size 4 --benchmark-warmup 2 --benchmark-iterations 8 --threads 1 "$@")
a="slow-a-$$" b="slow-b-$$"
work="$(mktemp -d)"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# shellcheck disable=SC2317  # called at the exit
cleanup() {
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

ip netns add "$a"
ip netns add "$b"
ip link add va netns "$a" type veth peer name vb netns "$b"
ip -n "$a" addr add 10.99.0.1/24 dev va
ip -n "$b" addr add 10.99.0.2/24 dev vb
for side in "$a va" "$b vb"; do
  read -r space device <<<"$side"
  ip -n "$space" link set lo up
  ip -n "$space" link set "$device" up
done

# In the place of ssh: runs a command on the other machine, which has a name of its own.
cat >"$work/agent" <<END
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c "hostname slow-b; \$*"
END
chmod +x "$work/agent"

limit() {
  ip netns exec "$a" tc qdisc replace dev va root tbf rate "$1" burst 256kb latency 50ms
  ip netns exec "$b" tc qdisc replace dev vb root tbf rate "$1" burst 256kb latency 50ms
}

images_per_s() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["images_per_s"]["median"])' "$1"
}

together() {
  ip netns exec "$a" unshare --uts sh -c 'hostname slow-a; exec "$@"' sh \
    mpirun --bind-to none --host slow-a:1,10.99.0.2:1 --mca plm_rsh_agent "$work/agent" --mca oob_tcp_if_include 10.99.0.0/24 \
    --mca btl self,tcp --mca btl_tcp_if_include 10.99.0.0/24 -n 2 \
    "$program" bench train "${options[@]}" --json "$work/two.json" --trace "$work/trace.json" >&2
  images_per_s "$work/two.json"
}

"$program" bench train "${options[@]}" --json "$work/one.json" >&2
one="$(images_per_s "$work/one.json")"
fast="$(together)"
limit "$rate"
slow="$(together)"
python3 - "$work" "$rate" "$one" "$fast" "$slow" <<'END'
import json
import sys

work, rate, one, fast, slow = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
batch = json.load(open(f"{work}/one.json"))["batch_size"]
events = [e for e in json.load(open(f"{work}/trace.json"))["traceEvents"] if e["ph"] == "X"]
steps = sum(e["cat"] == "iteration" for e in events)
size = sum(e["args"]["bytes"] for e in events if e["cat"] == "all_reduce") / steps
units = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
bits = float(rate[:-4]) * units[rate[-4:]]
compute, transfer = batch / one, size * 8 / bits  # of two in a ring, each sends as many bytes as there are
step = 2 * batch / slow
print(f"computing {compute:.2f} s, transfer {transfer:.2f} s ({size / 1e6:.1f} MB at {rate})")
print(f"two processes: {2 * batch / fast:.2f} s a step over a fast link, {step:.2f} s over the slow one")
print(f"over the longer of computing and transfer: {step / max(compute, transfer):.3f}")
END
