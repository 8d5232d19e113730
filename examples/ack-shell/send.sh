#!/bin/sh
# Sends FILE to the stream ID, goes on after every break, and ends with status 0 when all is durable.
# Usage: send.sh FILE ID HOST PORT RECEIPTS
file=$1 id=$2 host=$3 port=$4 receipts=$5
size=$(wc -c <"$file")
[ -s "$receipts" ] || echo socketsuite-receipts 1 >"$receipts"
for pause in 0 1 1 2 3 5 5 5 5 5; do
    sleep $pause
    at=$(echo "STREAM $id" | nc -N "$host" "$port" | sed -n 's/^STREAM [^ ]* \([0-9]*\) .*/\1/p')
    [ -n "$at" ] || continue
    {
        echo "STREAM $id"
        while [ "$at" -lt "$size" ]; do
            length=$((size - at < 1048576 ? size - at : 1048576))
            echo "DATA $at $length"
            tail -c "+$((at + 1))" "$file" | head -c "$length"
            at=$((at + length))
        done
        echo "END $size"
    } | nc -N "$host" "$port" | {
        while read -r word rest; do
            case $word in ACK | DONE) echo "ack $id $rest" >>"$receipts" ;; esac
            last="$word ${rest%% *}"
        done
        [ "$last" = "DONE $size" ]
    } && exit 0
done
exit 1
