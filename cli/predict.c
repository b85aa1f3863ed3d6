/* predict: one request to a served model; and the reading of files that hold requests. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define INPUT_MAX ((size_t)16 << 20)

static char *read_all(int fd, size_t *ret_length) {
    size_t length = 0, room = 4096;
    char *text = need(malloc(room));
    for (;;) {
        ssize_t n = read(fd, text + length, room - length - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(text);
            return NULL;
        }
        length += (size_t)n;
        text[length] = '\0';
        *ret_length = length;
        if (n == 0 || length > INPUT_MAX)
            return text;
        if (length + 1 == room)
            text = need(realloc(text, room *= 2));
    }
}

char *read_input(const char *path, int *ret_status) {
    int standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    char *text = fd < 0 ? NULL : read_all(fd, &length);
    int failed = text ? 0 : errno;
    if (fd >= 0 && !standard)
        close(fd);
    if (text && length <= INPUT_MAX && !memchr(text, '\0', length))
        return text;
    if (!text)
        *ret_status = complain(failed == ENOENT   ? EXIT_NOT_FOUND
                               : failed == EACCES ? EXIT_NOT_ALLOWED
                                                  : EXIT_FAILED,
                               NULL, "%s cannot be read: %s", name, strerror(failed));
    else
        *ret_status = usage_error(NULL, "%s %s", name,
                                  length > INPUT_MAX ? "is larger than 16 MiB" : "is not a text");
    free(text);
    return NULL;
}

char *json_option(const struct request *req, const char *name, int *ret_status) {
    const char *value = option(req, name);
    if (!value)
        return NULL;
    return value[0] == '@' ? read_input(value + 1, ret_status) : text_of("%s", value);
}

/* The only service of the identity that was asked for. */
static int find_one(struct request *req, ctcd_service **ret_service, ctcd_error **err) {
    _drop_(list) ctcd_list *list = NULL;
    int rc = find_services(req, &list, err);
    if (rc)
        return rc;
    size_t count = ctcd_list_count(list);
    if (count == 1) {
        *ret_service = ctcd_service_ref(ctcd_list_service(list, 0));
        return 0;
    }
    if (count == 0)
        return complain(EXIT_NOT_FOUND, "`ctcd served-models list` shows what is served",
                        "no such model is served");
    return complain(EXIT_CONFLICT,
                    "say which with --pipeline, --step and --deployer, or by its UUID",
                    "%zu served models are meant by that", count);
}

/* Owned, or NULL and *ret_status is set. */
static char *request_text(struct request *req, int *ret_status) {
    const char *data = option(req, "data"), *path = option(req, "input");
    if (data && path) {
        *ret_status = usage_error(NULL, "--data and --input: only one can be the request");
        return NULL;
    }
    if (data)
        return text_of("%s", data);
    if (!path && isatty(STDIN_FILENO)) {
        *ret_status = usage_error("add --data=TEXT or --input=FILE", "the request is missing");
        return NULL;
    }
    char *text = read_input(path ? path : "-", ret_status);
    if (text && !*text && !path) { /* /dev/null: nobody meant to send nothing */
        *ret_status = usage_error("add --data=TEXT or --input=FILE", "the request is missing");
        free(text);
        return NULL;
    }
    return text;
}

/* *ret: is the request CSV? */
static int request_type(struct request *req, int *ret) {
    const char *type = option(req, "content-type"), *path = option(req, "input");
    size_t length = path ? strlen(path) : 0;
    *ret =
        type ? strcmp(type, "text/csv") == 0 : length > 4 && strcmp(path + length - 4, ".csv") == 0;
    if (type && !*ret && strcmp(type, "application/json") != 0)
        return usage_error("application/json, or text/csv", "%s is no type of a request", type);
    return 0;
}

int cmd_predict(struct request *req, ctcd_error **err) {
    _drop_(service) ctcd_service *service = NULL;
    _drop_(op) ctcd_op *op = NULL;
    int64_t timeout_ms = -1;
    int csv = 0;
    if (!argument(req, 0) == !model_option(req))
        return usage_error("ctcd predict UUID, or ctcd predict --model-name NAME",
                           argument(req, 0) ? "a UUID and a model's name: only one can be meant"
                                            : "which served model?");
    int rc = option_duration(req, "timeout", &timeout_ms);
    if (!rc)
        rc = request_type(req, &csv);
    if (!rc)
        rc = argument(req, 0) ? ctcd_service_get(req->ctx, argument(req, 0), &service, err)
                              : find_one(req, &service, err);
    if (rc)
        return rc;
    char *input = request_text(req, &rc);
    if (rc)
        return rc;
    catch_signals();
    rc = csv ? ctcd_service_predict_csv_begin(service, input, timeout_ms, &op, err)
             : ctcd_service_predict_begin(service, input, timeout_ms, &op, err);
    free(input);
    if (!rc)
        rc = wait_for(req, op, PROGRESS_TERMINAL, err);
    char *output = NULL;
    if (!rc)
        rc = ctcd_op_take_text(op, &output, err);
    return print_text(rc, output);
}
