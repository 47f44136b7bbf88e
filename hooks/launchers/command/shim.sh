# Runs one attempt's command and records how it ended. Leader of its own session; the attempt folder's other files
# are described in attempt_folder.py, what crashes may do in launcher.py.
#
#   sh -c THIS headwater-shim FOLDER DD BLOCKS PYTHON COLLECTOR HALF COMMAND [ARGUMENT...]
#
# On entry standard input is the reading end of a pipe whose writing end is standard output and error.
# Variables carry a long prefix: an assignment to one that the command's environment holds would change it there.
set -Cf
headwater_folder=$1 headwater_dd=$2 headwater_blocks=$3
headwater_python=$4 headwater_collector=$5 headwater_half=$6
shift 6
exec 3<&0 </dev/null

# Sets headwater_identity to the pid and start time of the process that calls: nothing is forked where /proc exists.
headwater_identify() {
    if read -r headwater_stat </proc/self/stat; then
        headwater_identity=${headwater_stat%% *}
        set -- ${headwater_stat##*)}
        headwater_identity="$headwater_identity ${20}"
    else
        headwater_identity="$$ $(LC_ALL=C TZ=UTC0 ps -o lstart= -p $$)"
    fi 2>/dev/null
}

# Exactly one shim of an attempt gets past this line: noclobber opens with O_EXCL.
headwater_identify
{ echo "$headwater_identity" >"$headwater_folder/marker"; } 2>/dev/null || exit 0

# The collector outlives signals to the session, from its first instant because it inherits that they are ignored,
# and ends when nobody holds the writing end of the pipe any more.
# dd copies at once what each read gave and never reads ahead, which head does; most outputs end within it.
trap '' HUP INT QUIT TERM USR1 USR2
(
    if headwater_records=$(
        LC_ALL=C "$headwater_dd" bs=512 count="$headwater_blocks" 2>&1 >"$headwater_folder/head"
    ); then
        # "3+2 records in": whole and partial reads, perhaps after a warning.
        headwater_records=${headwater_records%% records in*}
        headwater_records=${headwater_records##*[!0-9+]}
        [ "$((${headwater_records%+*} + ${headwater_records#*+}))" -lt "$headwater_blocks" ] && exit
    fi
    # Whatever happens to the collector, the pipe is drained: a command must not die of its log.
    "$headwater_python" -I -S "$headwater_collector" "$headwater_folder" "$headwater_half" ||
        exec "$headwater_dd" of=/dev/null bs=65536
) <&3 >/dev/null 2>&1 3<&- &
# What the shell itself says of a command that a signal ended is not the command's output.
exec 3<&- 4>&2 2>/dev/null

# A signal to the whole session ends the command, not its witness. Handlers, unlike ignored signals, are not
# inherited; and the command runs in the foreground, because background commands ignore SIGINT.
trap : HUP INT QUIT TERM USR1 USR2
(
    if [ -r /proc/self/stat ]; then
        headwater_identify
    else
        headwater_identity="0 -" # $$ is the shim here, and nothing else names this process
    fi
    echo "$headwater_identity $!" >|"$headwater_folder/command"
    exec "$@" 2>&4 4>&-
)
# The file exists with room for the answer, so that a full disk does not swallow it; the newline makes it valid.
echo $? 1<>"$headwater_folder/exit"
