# Ends PostgreSQL when its supervisor is gone: its own exit, or a kill -9, closes the pipe that is our input.
# $1: process id of the postmaster. $2: the cluster, which is the working folder of every process of it.
trap '' HUP INT TERM
read -r _

# A process id alone proves nothing: it may be another process by now.
is_postmaster() {
    kill -0 "$1" 2>/dev/null || return 1
    if [ -d "/proc/$1" ]; then
        [ "/proc/$1/cwd" -ef "$2" ]
    else
        recorded=
        read -r recorded 2>/dev/null <"$2/postmaster.pid"
        [ "$recorded" = "$1" ]
    fi
}

seconds=0
while [ "$seconds" -lt 30 ]; do
    if is_postmaster "$1" "$2"; then
        if [ "$seconds" -lt 4 ]; then kill -INT "$1"; else kill -QUIT "$1"; fi
    elif [ "$seconds" -ge 2 ]; then
        # One that had just been started has its working folder and its file by now.
        exit 0
    fi
    sleep 1
    seconds=$((seconds + 1))
done
