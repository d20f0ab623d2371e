#!/bin/bash
#SBATCH --job-name=singleshot
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=32
#SBATCH --hint=nomultithread
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# Trains on the CPUs of several nodes under Slurm: one process (rank) for each group of cores, gradients summed over all.
#
#   sbatch examples/slurm.sh                                   as it stands
#   DATA=/data/mine RUN=runs/mine sbatch --nodes=2 examples/slurm.sh --backbone resnet18
#
# Options after the script's name go on to `singleshot train`. Call sbatch in the folder of the source tree, built after
# `scripts/setup --mpi`. All nodes need that folder and RUN under the same path; DATA may be a copy on each node's own disk.
#
# To change above:
#   --nodes, --ntasks-per-node, --cpus-per-task   A rank for each socket is a good beginning. Processors must be of one
#       kind, or the ranks refuse to start. A step has BATCH images of each rank; a run goes on with another number of
#       ranks as long as a step has as many images.
#   --time     the limit of your partition.
#   --signal   So many seconds before the limit (or up to a minute earlier) all ranks get SIGTERM, write one checkpoint
#       and end. The job then queues itself again, and goes on from there. An evaluation that this ends is made anew.
#   --requeue  After a node was lost Slurm starts the job again, from the last checkpoint.
set -euo pipefail

# Slurm runs a copy of this script: the source tree is where sbatch was called.
cd "${SLURM_SUBMIT_DIR:?start this script with sbatch}"
program="${PROGRAM:-build/release/singleshot}"
data="${DATA:-/data/coco}"
run="${RUN:-runs/coco}"
batch="${BATCH:-8}"  # images of a rank

# scancel and preemption signal this shell too. Whether the job comes back is then for Slurm to say.
told_to_end=false
trap 'told_to_end=true' TERM

mkdir -p "$run"
summary="$run/summary.json"
rm -f "$summary"
# srun does not take --cpus-per-task over from sbatch. By PMIx the ranks of Open MPI find each other; `srun --mpi=list`
# says whether this Slurm has it.
srun --mpi=pmix --ntasks="$SLURM_NTASKS" --cpus-per-task="$SLURM_CPUS_PER_TASK" --cpu-bind=cores --kill-on-bad-exit=1 \
  "$program" train --device cpu --data "$data" --save "$run" --resume --batch-size "$batch" --json-summary "$summary" "$@"

if ! "$told_to_end" && grep --quiet '"stopped":true' "$summary"; then
  echo "stopped before the limit: queueing job $SLURM_JOB_ID again"
  scontrol requeue "$SLURM_JOB_ID"
fi
