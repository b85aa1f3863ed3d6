"""Continuous deployment as an Airflow DAG: Airflow says when, libctcd decides and serves.

    ctcd model-deployer register ml --flavor mlflow --python "$(command -v python3)"     (once)

CTCD_HOME is the same for all workers that run these tasks, on the machine that serves. `decide` ends with 0 for
promote and with 1 for reject, which Airflow knows as a skip; anything else fails the task.
"""

import datetime
import os

from airflow.sdk import dag, task

WORK = os.environ.get("DIGITS_FOLDER", "/var/lib/digits")
SERVE = "--deployer ml --model-name digits"
RULE = '{"metric": "accuracy", "threshold": 0.9, "min_absolute_change": 0.002}'


@dag(schedule="@hourly", start_date=datetime.datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def digits():
    @task.bash(cwd=WORK)
    def train():
        return "python3 train.py"

    @task.bash(cwd=WORK, skip_on_exit_code=1)
    def decide():
        return "ctcd decide --rule '%s' --candidate @candidate/metrics.json %s" % (RULE, SERVE)

    @task.bash(cwd=WORK)
    def deploy():
        return 'ctcd deploy "$(cat candidate/uri)" %s --metrics @candidate/metrics.json' % SERVE

    train() >> decide() >> deploy()


digits()
