/* What is outside of the home (doctor.h): ports that somebody else took, programs that back ends need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/service.h"
#include "engine/deploy.h"
#include "engine/doctor.h"
#include "io/file.h"
#include "io/process.h"
#include "store/components.h"

#define LOOK_MS 5000
#define EXAMINE_MS 15000
#define TABLE_BYTES ((size_t)16 << 20)
#define TCP_LISTEN 0x0a

/* ---- ports ------------------------------------------------------------------------------------ */

/* Of a URL on this machine; 0 = it is on another one. */
static int local_port(const char *url) {
    static const char *const hosts[] = {"http://127.0.0.1:", "http://[::1]:"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (text_starts(url, hosts[i]))
            return atoi(url + strlen(hosts[i]));
    return 0;
}

static int listens_in(const char *path, int port, bool *ret, ctcd_error **err) {
    _cleanup_(mem_free_ptr) char *table = NULL;
    int rc = file_read(path, TABLE_BYTES, 0, &table, NULL, NULL);
    if (rc)
        return rc == CTCD_E_NOMEM ? error_nomem(err) : 0; /* no such family here */
    for (const char *line = table; line && *line; line = strchr(line, '\n')) {
        unsigned local, state;
        line += *line == '\n';
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
            state == TCP_LISTEN && (int)local == port)
            *ret = true;
    }
    return 0;
}

/* Asked of the kernel: nothing is sent anywhere. */
static int listens(int port, bool *ret, ctcd_error **err) {
    *ret = false;
    int rc = listens_in("/proc/self/net/tcp", port, ret, err);
    return rc ? rc : listens_in("/proc/self/net/tcp6", port, ret, err);
}

static bool has_process(const struct child_processes *all, const char *service) {
    for (size_t i = 0; i < all->count; i++)
        if (text_starts(all->items[i].marker, service))
            return true;
    return false;
}

/* A service that should serve and does not, while its port is taken: a client would be answered by another. */
static int look_at_port(struct doctor *d, const ctcd_status *status,
                        const struct child_processes *all, ctcd_error **err) {
    const struct store_service *service = &status->service->record;
    int port = local_port(service->url);
    bool down = status->state == CTCD_STATE_ERROR || status->state == CTCD_STATE_INACTIVE;
    bool taken = false;
    if (!port || !down || has_process(all, service->uuid))
        return 0;
    int rc = listens(port, &taken, err);
    if (rc || !taken)
        return rc;
    rc = doctor_add(
        d, "port", service->desired == CTCD_STATE_ACTIVE ? DOCTOR_ERROR : DOCTOR_WARNING,
        mem_copy_text(service->uuid),
        mem_text("its server (%s) does not run, and another program answers on its port %d",
                 service->model, port),
        mem_text("`ss -ltnp sport = :%d` names it; ctcd served-models start %.8s takes another "
                 "port",
                 port, service->uuid),
        NULL);
    return rc ? error_nomem(err) : 0;
}

int doctor_ports(struct doctor *d, ctcd_error **err) {
    _cleanup_(object_done) ctcd_list *services = NULL;
    _cleanup_(object_done) ctcd_list *looks = NULL;
    _cleanup_(child_processes_done) struct child_processes all = {0};
    ctcd_op *op = NULL;
    int rc = service_find(d->ctx, NULL, NULL, NULL, NULL, &services, err);
    if (!rc)
        rc = observe_new(d->ctx, services, LOOK_MS, &op, err);
    if (rc)
        return rc;
    op_start(op, NULL);
    rc = op_wait(op, -1, err);
    if (!rc)
        looks = op_steal_result(op, OP_LIST);
    op_unref(op);
    if (!rc)
        rc = child_find(d->home, &all, err);
    for (size_t i = 0; !rc && i < object_list_count(looks); i++)
        rc = look_at_port(d, object_list_at(looks, &STATUS_KIND, i), &all, err);
    return rc;
}

/* ---- programs --------------------------------------------------------------------------------- */

/* An op around one call: has the machine what this back end needs? */
struct examine {
    ctcd_op op;
    struct backend *backend;
    ctcd_call *call;
};

static int examine_step(ctcd_op *op) {
    struct examine *e = (struct examine *)op;
    if (op->stop)
        return op_fail_stopped(op);
    if (!e->call) {
        struct call_args args = {0};
        int rc = call_start(op, e->backend, CALL_EXAMINE, &args, op->deadline, &e->call);
        if (rc)
            return rc;
    }
    if (!call_ended(e->call)) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    return call_result(e->call, OP_ERR(op));
}

static void examine_done(ctcd_op *op) {
    call_drop(&((struct examine *)op)->call);
}

static const struct op_kind EXAMINE = {
    .name = "look at a back end", .step = examine_step, .done = examine_done};

static int ask_backend(struct doctor *d, const char *component, ctcd_error **err) {
    struct backend *backend = NULL;
    ctcd_op *op = NULL;
    int rc = backend_get(d->ctx, component, &backend, err);
    if (rc || call_supported(backend, CALL_EXAMINE, NULL))
        return rc;
    rc = op_new(d->ctx, &EXAMINE, sizeof(struct examine), EXAMINE_MS, &op, err);
    if (rc)
        return rc;
    ((struct examine *)op)->backend = backend;
    op_start(op, NULL);
    rc = op_wait(op, -1, err);
    op_unref(op);
    return rc;
}

static int tell(struct doctor *d, const char *severity, const char *where, int rc,
                const ctcd_error *why, ctcd_error **err) {
    if (!rc)
        return 0;
    const char *hint = error_hint_text(why);
    if (rc == CTCD_E_NOMEM ||
        doctor_add(d, "program", severity, mem_copy_text(where), mem_copy_text(error_message(why)),
                   mem_copy_text(hint ? hint : ""), NULL))
        return error_nomem(err);
    return 0;
}

/* Without the active stack's deployer nothing can be deployed; another one may be there for later. */
int doctor_programs(struct doctor *d, ctcd_error **err) {
    _cleanup_(error_done) ctcd_error *no_shim = NULL;
    _cleanup_(store_stack_done) struct store_stack stack = {0};
    _cleanup_(store_components_done) struct store_components deployers = {0};
    const char *shim = NULL;
    int rc = context_shim(d->ctx, &shim, &no_shim);
    rc = tell(d, DOCTOR_ERROR, "ctcd-shim", rc, no_shim, err);
    if (!rc)
        rc = store_stack_get(d->store, NULL, &stack, err);
    if (!rc)
        rc = store_component_list(d->store, CTCD_COMPONENT_MODEL_DEPLOYER, &deployers, err);
    for (size_t i = 0; !rc && i < deployers.count; i++) {
        _cleanup_(error_done) ctcd_error *why = NULL;
        const char *name = deployers.items[i].name;
        bool active = strcmp(name, stack.components[CTCD_COMPONENT_MODEL_DEPLOYER]) == 0;
        rc = ask_backend(d, name, &why);
        rc = tell(d, active ? DOCTOR_ERROR : DOCTOR_WARNING, name, rc, why, err);
    }
    return rc;
}
