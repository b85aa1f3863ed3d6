/* daemon: fires schedules and carries out their runs, in the foreground. */
#include "output.h"

int cmd_daemon(struct request *req, ctcd_error **err) {
    _drop_(op) ctcd_op *op = NULL;
    int until_idle = option(req, "until-idle") != NULL;
    catch_signals();
    int rc = ctcd_scheduler_start(req->ctx, until_idle ? CTCD_SCHEDULER_UNTIL_IDLE : 0, &op, err);
    if (!rc)
        rc = wait_for(req, op, PROGRESS_LOG, err);
    /* Being told to end is how a daemon ends. */
    if (caught_signal() && !until_idle && rc == CTCD_E_CANCELED)
        return EXIT_DONE;
    return rc;
}
