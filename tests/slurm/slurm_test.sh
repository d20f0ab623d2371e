#!/bin/bash
# Runs examples/slurm.sh with stand-ins for sbatch, srun and scontrol, on this machine: two ranks train, get SIGTERM, write
# a checkpoint, and ask for the job to be queued again; the job that comes back goes on from there to the end.
# Usage: slurm_test.sh PROGRAM, a singleshot with singleshot_mpi.so beside it. Exit status 77: skipped.
set -euo pipefail
program="$(realpath "${1:?slurm_test.sh: no program}")"
here="$(dirname "$(realpath "${BASH_SOURCE[0]}")")"

skip() {
  printf 'slurm_test.sh: Skipped\n%s\n' "$1"
  exit 77
}
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 2 true 2>/dev/null ||
  skip "mpirun does not start processes here; scripts/setup --mpi installs it"
[[ -f "$(dirname "$program")/singleshot_mpi.so" ]] || skip "built without MPI: no singleshot_mpi.so beside the program"

folder="$(mktemp --directory)"
trap 'rm -r "$folder"' EXIT
export STAND_IN="$folder" PATH="$here:$PATH" OMP_WAIT_POLICY=passive
export PROGRAM="$program" DATA="$here/../../samples/blood-cells" RUN="$folder/run" BATCH=1

fail() {
  cat "$folder"/job-*.log >&2
  echo "slurm_test.sh: $1" >&2
  exit 1
}

# A job with some number of steps.
job() {
  sbatch --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 "$here/../../examples/slurm.sh" --backbone resnet18 \
    --pretrained none --evaluation -1 --batch-norm-images 2 --checkpoint-interval 1 --iterations "$1"
}

cd "$here/../.."
job 100000 >"$folder/job-1.log" 2>&1 &
first=$!
while ! compgen -G "$RUN/checkpoints/step-*" >/dev/null; do
  kill -0 "$first" 2>/dev/null || fail "the first job ended before its first checkpoint"
  sleep 0.1
done
kill -TERM "$(cat "$folder/rank-0")" "$(cat "$folder/rank-1")"
wait "$first" || fail "the first job failed"
[[ "$(cat "$folder/asked")" == "requeue 4711" ]] || fail "the first job is not queued again"
last="$(find "$RUN/checkpoints" -name 'step-*' | sort | tail -n 1)"
step=$((10#${last##*-}))

rm "$folder/asked"
job $((step + 1)) >"$folder/job-2.log" 2>&1 || fail "the second job failed"
grep --quiet "resuming after step $step\$" "$folder/job-2.log" || fail "the second job does not go on after step $step"
[[ -f "$RUN/checkpoints/$(printf 'step-%06d' $((step + 1)))/state.json" ]] || fail "the second job left no checkpoint"
[[ ! -e "$folder/asked" ]] || fail "a job that has come to its end is queued again"
echo "slurm_test.sh: passed; stopped after step $step"
