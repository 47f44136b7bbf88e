# The settings of Airflow and of Headwater for this example. In each shell, from this folder: . ./settings.sh
# Passwords are made at random, once, in secrets/.

example=$(pwd)
export AIRFLOW_HOME="$example/.airflow"
mkdir -p "$example/secrets" "$AIRFLOW_HOME" && chmod 700 "$example/secrets" "$AIRFLOW_HOME"

random() { # so many letters and digits: $1
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom 2> /dev/null | head -c "$1"
}

( # Files that nobody else may read.
    umask 077
    [ -s secrets/airflow-password ] || random 40 > secrets/airflow-password
    [ -s secrets/headwater-key ] || printf 'hwt_%s\n' "$(random 43)" > secrets/headwater-key
    [ -s secrets/airflow-users.json ] ||
        printf '{"headwater": "%s"}\n' "$(cat secrets/airflow-password)" > secrets/airflow-users.json
)

# What Headwater knows Airflow by; pipelines.yaml names it and does not hold it.
HEADWATER_SECRET_AIRFLOW_PASSWORD=$(cat secrets/airflow-password)
export HEADWATER_SECRET_AIRFLOW_PASSWORD

# A user of Airflow who may read DAGs and start and end their runs, and nothing else.
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=headwater:user
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE="$example/secrets/airflow-users.json"
export AIRFLOW__CORE__DAGS_FOLDER="$example/dags"
export AIRFLOW__CORE__LOAD_EXAMPLES=False

# Where Airflow's OpenLineage provider reports to, and with which key. This is all that Airflow is told of Headwater.
export AIRFLOW__OPENLINEAGE__NAMESPACE=airflow
AIRFLOW__OPENLINEAGE__TRANSPORT=$(printf '{"type": "http", "url": "%s", "auth": {"type": "api_key", "apiKey": "%s"}}' \
    "${HEADWATER_URL:-http://127.0.0.1:8642}" "$(cat secrets/headwater-key)")
export AIRFLOW__OPENLINEAGE__TRANSPORT
