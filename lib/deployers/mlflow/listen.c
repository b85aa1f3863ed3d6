/* Where a server listens: the port that is asked for, else the one of its last start, so that the URL survives a
   stop; else the lowest free one of the deployer's range, or any that the system has free. Called by server.c,
   and by validate.c before anything starts. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deployers/mlflow/backend.h"
#include "io/process.h"

#define PORT_MAX 65535
#define RANGE_HINT "FIRST-LAST, as in 8000-8999"

/* first 0 = there is no range. */
static int read_range(const char *text, int *ret_first, int *ret_last, ctcd_error **err) {
    int first = 0, last = 0, used = 0;
    if (text && (strspn(text, "0123456789-") != strlen(text) || strlen(text) > 11 ||
                 sscanf(text, "%5d-%5d%n", &first, &last, &used) != 2 || text[used] || first < 1 ||
                 last < first || last > PORT_MAX))
        return error_set(err, CTCD_E_INVALID, RANGE_HINT,
                         "port_range: \"%.100s\" is no range of ports", text);
    *ret_first = first;
    *ret_last = last;
    return 0;
}

int mlflow_check_ports(const struct mlflow *backend, const ctcd_revision *want, ctcd_error **err) {
    const ctcd_options *options = ctcd_revision_options(want);
    int64_t port = ctcd_options_number(options, "port");
    int first = 0, last = 0;
    if (port < 0 || port > PORT_MAX)
        return error_set(err, CTCD_E_INVALID, NULL, "port: %lld is not within 0 and %d",
                         (long long)port, PORT_MAX);
    if (!port && !ctcd_options_number(options, "allocate_port"))
        return error_set(err, CTCD_E_INVALID, "add the option port",
                         "allocate_port: false needs a port");
    return read_range(backend->port_range, &first, &last, err);
}

/* CTCD_E_EXISTS: none of them is free. */
static int listen_within(const struct mlflow *backend, int *ret_fd, int *ret_port,
                         ctcd_error **err) {
    int first = 0, last = 0;
    int rc = read_range(backend->port_range, &first, &last, err);
    if (rc || !first)
        return rc ? rc : process_listen(backend->host, 0, ret_fd, ret_port, err);
    rc = CTCD_E_EXISTS;
    for (int port = first; port <= last && rc == CTCD_E_EXISTS; port++) {
        error_done(err);
        rc = process_listen(backend->host, port, ret_fd, ret_port, err);
    }
    return rc == CTCD_E_EXISTS
               ? error_set(err, rc, "end what uses them, or make the model deployer's range larger",
                           "port_range: none of the ports %d to %d of %s is free", first, last,
                           backend->host)
               : rc;
}

int mlflow_listen(const struct mlflow *backend, const ctcd_revision *want, int *ret_fd,
                  int *ret_port, ctcd_error **err) {
    const ctcd_options *options = ctcd_revision_options(want);
    int asked = (int)ctcd_options_number(options, "port"), before = mlflow_port(want);
    bool others = ctcd_options_number(options, "allocate_port") != 0;
    int rc = CTCD_E_EXISTS;
    if (asked)
        rc = process_listen(backend->host, asked, ret_fd, ret_port, err);
    if (rc == CTCD_E_EXISTS && asked && !others)
        return error_set(
            err, rc,
            "end what uses it (the revision that serves now, perhaps: stop it first), or let "
            "another one be taken: allocate_port=true",
            "port: %d of %s is taken", asked, backend->host);
    if (rc == CTCD_E_EXISTS && before && before != asked) {
        error_done(err);
        rc = process_listen(backend->host, before, ret_fd, ret_port, err);
    }
    if (rc != CTCD_E_EXISTS)
        return rc;
    error_done(err);
    return listen_within(backend, ret_fd, ret_port, err);
}
