#!/usr/bin/env bash
# One sweep as a Slurm job array, a shard for each task, and a job after it that merges them.
set -euo pipefail

usage() {
    cat <<'END'
scenarios/cluster/slurm.sh SHARDS OUT SCENARIO [OPTIONS OF SWEEP]

Submits a job array of SHARDS tasks, and a job that merges what they found once all are over; prints the numbers of both jobs.
OUT is a folder that all nodes see: shard-K/ for each task, then results.jsonl. Where a task was lost, the merge names it and
fails, and the same command again runs what is missing: finished runs are in the journals of their shards.

FABRIC_SIM is the program (fabric-sim unless said), SBATCH_* are what sbatch knows: SBATCH_PARTITION, SBATCH_TIMELIMIT...
END
}

program=${FABRIC_SIM:-fabric-sim}

# One task of the array: exit code 1 is a result, a check that failed, and no reason to run it again.
shard() {
    local shards=$1 out=$2 k=$((SLURM_ARRAY_TASK_ID + 1))
    shift 2
    "$program" sweep "$@" --shard "$k/$shards" --out "$out/shard-$k" --jobs "${SLURM_CPUS_PER_TASK:-1}" || [ $? = 1 ]
}

merge() {
    exec "$program" merge "$1"/shard-*/results.jsonl --out "$1/results.jsonl"
}

submit() {
    local shards=$1 out=$2 array
    mkdir -p "$out"
    # Results of before would pass for those of now; what they are made of is in the journals.
    rm -f "$out/results.jsonl" "$out"/shard-*/results.jsonl
    array=$(sbatch --parsable --job-name=fabric-sim --requeue --array="0-$((shards - 1))" \
        --output="$out/task-%a.log" --open-mode=append "$0" shard "$@")
    echo "array $array"
    # Whatever its tasks came to: the merge says which are missing.
    echo "merge $(sbatch --parsable --job-name=fabric-sim-merge --dependency="afterany:$array" \
        --output="$out/merge.log" "$0" merge "$out")"
}

case "${1:-}" in
    shard | merge) "$@" ;;
    '' | *[!0-9]*) usage; [ "${1:-}" = --help ] || exit 2 ;;
    *) if [ $# -ge 3 ] && [ "$1" -ge 1 ]; then submit "$@"; else usage >&2; exit 2; fi ;;
esac
