#!/bin/sh
set -e
make -s bench
./bench
