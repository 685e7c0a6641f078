#!/bin/sh
# Trains a saga: train.sh NAME STAGES [flags of the trainer]. Writes NAME.checkpoint every minute and NAME.log; started again, it goes on
# from there.
# A line of STAGES is batches to come, as SEED:LENGTH:ROWS:FACTS:STRANGERS:FAMILIES:HOUSEHOLDS:BATCHES (see Stage.cs); lines follow on each
# other, what + joins is mixed.
set -eu
name=$1 stages=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$name.checkpoint" ] && set -- "$@" --load "$name.checkpoint"
# shellcheck disable=SC2046 # a line is an argument
"$here/../../artifacts/bin/TrainSaga/release/TrainSaga" batches "$here/vocabulary" $(cat "$stages") |
    "$here/trainer/train" --vocabulary 1462 --save "$name.checkpoint" "$@" | tee -a "$name.log"
