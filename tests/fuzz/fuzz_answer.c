/* JSON that others send. The first line says what the rest is:

       json               a text for the reader, with each of its flags
       decode STATUS      a model server's answer;    encode FORM    a request for one
       MODEL-URI [RUN]    a tracking server's answers to what is asked for this model, one behind the other:
                          `STATUS TYPE`, the body, and %% on a line of its own between two

   The conversation is the real one: resolve.c and download.c ask, registry_judge() judges, files are staged.
   Only what would go out to the network (and what would wait for the disk) is taken over here. */
#include "fuzz.h"

#include <dirent.h>

#include "deployers/mlflow/download.h"
#include "deployers/mlflow/model.h"
#include "deployers/mlflow/resolve.h"
#include "io/json.h"
#include "io/tree.h"
#include "protocols/mlflow.h"

const char fuzz_name[] = "answer";

#define MAX_BYTES 65536 /* of a text, and of a model */

/* ---- in place of network, engine and disk --------------------------------------------------------- */

static struct fuzz_part rest; /* answers that are still to come */
static bool waited;
static unsigned questions;

int __wrap_registry_ask(struct registry *r, const struct question *q, struct json **ret,
                        ctcd_error **err);
int __wrap_ctcd_call_progress(ctcd_call *call, const char *doing);
int __wrap_ctcd_call_folder(ctcd_call *call, const char **ret_folder);
int __wrap_fsync(int fd);

/* Each question waits once, as a real one does: what asks is entered again. */
int __wrap_registry_ask(struct registry *r, const struct question *q, struct json **ret,
                        ctcd_error **err) {
    struct http_answer answer = {.retry_after_ms = -1};
    waited = !waited;
    if (waited)
        return CTCD_AGAIN;
    must(q->path[0] == '/' && q->what[0]);
    must(++questions < 30000);
    struct fuzz_part part = fuzz_next(&rest);
    if (!part.text || !part.size) {
        answer.code = error_set(&answer.err, CTCD_E_UNREACHABLE, NULL, "takes no connection");
    } else {
        _cleanup_(mem_free_ptr) char *line = fuzz_line(&part);
        char *type = strchr(line, ' ');
        answer.status = atoi(line);
        must(!type || (answer.content_type = mem_copy_text(type + 1)));
        must((answer.body = mem_copy_bytes(part.text, part.size)));
        answer.body_size = part.size;
        if (part.size > (q->max_answer ? q->max_answer : REGISTRY_MAX_ANSWER))
            answer.code = error_set(&answer.err, CTCD_E_TOO_LARGE, NULL, "is larger than agreed");
        else if (answer.status / 100 == 2 && q->take &&
                 q->take(q->take_data, answer.body, answer.body_size))
            answer.code = error_set(&answer.err, CTCD_E_IO, NULL, "was not taken");
    }
    int rc = registry_judge(r, q, &answer, ret, err);
    http_answer_done(&answer);
    return rc;
}

int __wrap_ctcd_call_progress(ctcd_call *call, const char *doing) {
    (void)call;
    must(text_is_utf8(doing));
    return 0;
}

static const char *deployer_folder(void) {
    static char path[8300];
    if (!path[0]) {
        (void)snprintf(path, sizeof path, "%s/deployer", fuzz_folder());
        must(mkdir(path, 0700) == 0);
    }
    return path;
}

int __wrap_ctcd_call_folder(ctcd_call *call, const char **ret_folder) {
    (void)call;
    *ret_folder = deployer_folder();
    return 0;
}

int __wrap_fsync(int fd) {
    (void)fd;
    return 0;
}

/* ---- a tracking server ---------------------------------------------------------------------------- */

static size_t count_entries(const char *path) {
    size_t count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    must(!dir || closedir(dir) == 0);
    return count;
}

/* Nothing is left coming in, and nothing was written beside the folder that is meant for it. */
static void is_clean(size_t models) {
    char path[8400];
    (void)snprintf(path, sizeof path, "%s/incoming", deployer_folder());
    must(count_entries(path) == 0);
    (void)snprintf(path, sizeof path, "%s/models", deployer_folder());
    must(count_entries(path) == models);
    must(count_entries(deployer_folder()) <= 2);
    must(count_entries(fuzz_folder()) == 1);
    must(tree_remove(path, NULL) == 0);
}

static int fetch(struct download *d, struct registry *registry, const struct pin *pin,
                 ctcd_error **err) {
    int rc = download_begin(d, registry, pin->artifacts, err);
    while (!rc && !d->folder) {
        do
            rc = download_step(d, err);
        while (rc == CTCD_AGAIN);
        must(rc || d->folder);
    }
    if (!rc) {
        must(text_starts(d->folder, deployer_folder()) && strlen(d->digest) == 64);
        must(model_check(d->folder, NULL) == 0);
    }
    return rc;
}

static void converse(struct source *source, const char *run) {
    const struct mlflow backend = {.tracking = {.uri = (char *)(uintptr_t) "http://127.0.0.1:5000",
                                                .max_model_bytes = MAX_BYTES}};
    struct registry registry = {.backend = &backend};
    struct resolve resolve = {0};
    struct download download = {0};
    ctcd_error *err = NULL;
    int rc;
    resolve_begin(&resolve, &registry, source, run);
    do
        rc = resolve_step(&resolve, &err);
    while (rc == CTCD_AGAIN);
    if (!rc) {
        const struct pin *pin = &resolve.pin;
        must(pin->uri && pin->artifacts && pin->artifacts[0]);
        must(text_is_utf8(pin->uri) && text_is_utf8(pin->artifacts));
        must(text_starts(pin->uri, "models:/") || text_starts(pin->uri, "runs:/"));
        fuzz_plant(pin->artifacts);
        rc = fetch(&download, &registry, pin, &err);
    }
    bool there = rc == 0;
    if (rc)
        fuzz_refused(rc, err);
    fuzz_plant(there ? download.digest : "");
    download_done(&download);
    resolve_done(&resolve);
    is_clean(there);
}

static void ask_tracking_server(char *uri) {
    _cleanup_(source_done) struct source source = {0};
    ctcd_error *err = NULL;
    char *run = strchr(uri, ' ');
    if (run)
        *run++ = '\0';
    int rc = source_parse(uri, &source, &err);
    if (rc) {
        fuzz_refused(rc, err);
        return;
    }
    waited = false;
    questions = 0;
    if (source.kind != SOURCE_FOLDER)
        converse(&source, run && text_is_utf8(run) ? run : "");
}

/* ---- single texts --------------------------------------------------------------------------------- */

/* Takes the text. */
static void comes_back(const struct json *value, char *text, uint32_t flags) {
    _cleanup_(json_done) struct json *again = NULL;
    must(text && text_is_utf8(text));
    must(json_parse(text, strlen(text), SIZE_MAX, flags, "again", &again, NULL) == 0);
    if (value)
        must(json_same(value, again));
    mem_free(text);
}

static void read_json(const char *text, size_t size, uint32_t flags) {
    _cleanup_(json_done) struct json *value = NULL;
    ctcd_error *err = NULL;
    int rc = json_parse(text, size, MAX_BYTES, flags, "text", &value, &err);
    must(!rc == (value != NULL));
    if (rc) {
        must(rc == CTCD_E_TOO_LARGE ||
             rc == (flags & JSON_USER_INPUT ? CTCD_E_INVALID : CTCD_E_PROTOCOL));
        must(text_starts(error_message(err), "text:"));
        fuzz_refused(rc, err);
        return;
    }
    must(flags & JSON_PYTHON || !json_has_nan(value));
    comes_back(value, json_to_text(value), JSON_PYTHON | JSON_UNIQUE_KEYS);
    comes_back(value, json_to_pretty(value), JSON_PYTHON);
    comes_back(value, json_to_canonical(value), JSON_PYTHON);
    comes_back(json_has_nan(value) ? NULL : value, json_to_strict(value, true), 0);
}

static void decode(int status, const char *text, size_t size) {
    ctcd_error *err = NULL;
    char *predictions = NULL;
    int rc = mlflow_decode(status, text, size, &predictions, &err);
    must(!rc == (predictions != NULL));
    if (rc)
        fuzz_refused(rc, err);
    else
        comes_back(NULL, predictions, JSON_PYTHON);
}

static void encode(const char *name, const char *text, size_t size) {
    enum mlflow_form form = MLFLOW_AUTO;
    ctcd_error *err = NULL;
    char *body = NULL;
    int rc = name[0] ? mlflow_form_parse(name, &form, &err) : 0;
    if (!rc)
        rc = mlflow_encode(text, size, form, &body, &err);
    must(!rc == (body != NULL));
    if (rc)
        fuzz_refused(rc, err);
    else
        comes_back(NULL, body, JSON_PYTHON);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rest = (struct fuzz_part){(const char *)data, size};
    _cleanup_(mem_free_ptr) char *line = fuzz_line(&rest);
    /* One NUL follows the body of an answer (http.h). */
    _cleanup_(mem_free_ptr) char *text = mem_copy_bytes(rest.size ? rest.text : "", rest.size);
    must(text);
    if (strcmp(line, "json") == 0)
        for (uint32_t flags = 0; flags < 8; flags++)
            read_json(text, rest.size, flags);
    else if (text_starts(line, "decode "))
        decode(atoi(line + strlen("decode ")), text, rest.size);
    else if (text_starts(line, "encode "))
        encode(line + strlen("encode "), text, rest.size);
    else
        ask_tracking_server(line);
    return 0;
}
