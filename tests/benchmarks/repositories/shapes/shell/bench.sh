#!/usr/bin/env bash
# Usage: bash bench.sh
set -euo pipefail
cd "$(dirname "$0")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python src/factorize.py ratings.csv | tee "$log"
rmse=$(sed -n 's/^held-out rmse: //p' "$log")
echo "METRIC rmse=$rmse"
