#!/usr/bin/env bash
# The preStop hook of executors, where Spark looks for it (spark.kubernetes.decommission.script): the JVM, which is process
# 1, hands its blocks to other executors and ends by itself. SIGTERM comes after this, within the grace period of 30 s.
set -u
kill -PWR 1
for ((second = 0; second < 25; second++)); do
  sleep 1
done
