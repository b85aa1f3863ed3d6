/* The codec of MLflow's scoring server; see mlflow.h. Requests are parsed only to be recognised: the
   body is made from the user's own text. */
#include "protocols/mlflow.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/json.h"

static const char *const body_keys[] = {
    "dataframe_split", "dataframe_records", "instances", "inputs", /* as in enum mlflow_form */
};
#define BODY_KEYS (sizeof body_keys / sizeof body_keys[0])
#define BODY_HINT                                                                                  \
    "send rows [[1, 2]], records [{\"column\": 1}], or {\"columns\": [...], \"data\": [[...]]}"

static const struct {
    const char *name;
    enum mlflow_form form;
} form_names[] = {
    {"auto", MLFLOW_AUTO},
    {"split", MLFLOW_SPLIT},
    {"records", MLFLOW_RECORDS},
    {"instances", MLFLOW_INSTANCES},
    {"inputs", MLFLOW_INPUTS},
    {"dataframe_split", MLFLOW_SPLIT},
    {"dataframe_records", MLFLOW_RECORDS},
};
#define FORM_NAMES (sizeof form_names / sizeof form_names[0])

int mlflow_form_parse(const char *name, enum mlflow_form *ret, ctcd_error **err) {
    const char *names[FORM_NAMES];
    for (size_t i = 0; i < FORM_NAMES; i++) {
        if (text_same(name, form_names[i].name)) {
            *ret = form_names[i].form;
            return 0;
        }
        names[i] = form_names[i].name;
    }
    error_set(
        err, CTCD_E_INVALID, NULL,
        "\"%.100s\" is no form of a request; there are: auto, split, records, instances, inputs",
        name ? name : "");
    const char *near = name ? text_nearest(name, names, FORM_NAMES) : NULL;
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return CTCD_E_INVALID;
}

const char *mlflow_form_name(enum mlflow_form form) {
    bool known = form >= MLFLOW_SPLIT && form <= MLFLOW_INPUTS;
    return known ? body_keys[form - MLFLOW_SPLIT] : NULL;
}

/* ---- requests ---- */

static int refuse(ctcd_error **err, const char *message) {
    return error_set(err, CTCD_E_INVALID, BODY_HINT, "%s", message);
}

/* {"columns": [...], "index": [...], "data": [[...]]} with rows as long as the columns are many. */
static int check_split(const struct json *split, ctcd_error **err) {
    const struct json *data = json_get(split, "data");
    const struct json *columns = json_get(split, "columns");
    if (json_kind(data) != JSON_KIND_ARRAY)
        return refuse(err, "a table needs \"data\", a list of rows");
    if (columns && json_kind(columns) != JSON_KIND_ARRAY)
        return refuse(err, "\"columns\" is a list of names");
    for (size_t i = 0; i < json_size(data); i++) {
        const struct json *row = json_at(data, i);
        if (json_kind(row) != JSON_KIND_ARRAY)
            return error_set(err, CTCD_E_INVALID, BODY_HINT,
                             "row %zu of \"data\" is %s, not a list", i + 1,
                             json_kind_name(json_kind(row)));
        if (columns && json_size(row) != json_size(columns))
            return error_set(err, CTCD_E_INVALID, NULL,
                             "row %zu has %zu values, and there are %zu columns", i + 1,
                             json_size(row), json_size(columns));
    }
    return 0;
}

static bool is_split(const struct json *value) {
    if (!json_get(value, "data"))
        return false;
    for (struct json_iter i = json_members(value); json_next(&i);)
        if (strcmp(i.key, "data") != 0 && strcmp(i.key, "columns") != 0 &&
            strcmp(i.key, "index") != 0)
            return false;
    return true;
}

static bool is_single(const struct json *value) {
    return json_kind(value) != JSON_KIND_ARRAY && json_kind(value) != JSON_KIND_OBJECT;
}

static bool all_members(const struct json *object, bool single) {
    for (struct json_iter i = json_members(object); json_next(&i);)
        if (single ? !is_single(i.value) : json_kind(i.value) != JSON_KIND_ARRAY)
            return false;
    return json_size(object) > 0;
}

static int check_columns(const struct json *columns, ctcd_error **err) {
    const char *first = NULL;
    size_t rows = 0;
    for (struct json_iter i = json_members(columns); json_next(&i);) {
        if (first && json_size(i.value) != rows)
            return error_set(err, CTCD_E_INVALID, NULL,
                             "column \"%.100s\" has %zu values, and \"%.100s\" has %zu", i.key,
                             json_size(i.value), first, rows);
        if (!first) {
            first = i.key;
            rows = json_size(i.value);
        }
    }
    return 0;
}

static int check_records(const struct json *records, ctcd_error **err) {
    for (size_t i = 0; i < json_size(records); i++)
        if (json_kind(json_at(records, i)) != JSON_KIND_OBJECT)
            return error_set(err, CTCD_E_INVALID, BODY_HINT,
                             "record %zu is %s, not an object of columns", i + 1,
                             json_kind_name(json_kind(json_at(records, i))));
    return 0;
}

/* How a request is made from the text. */
struct plan {
    enum mlflow_form form; /* MLFLOW_AUTO: the text is the body already */
    bool one_record;       /* the text is to become a list of one */
};

/* An object that is none of the things that it can be. */
static int refuse_object(const struct json *value, ctcd_error **err) {
    refuse(err, "the request has none of the keys dataframe_split, dataframe_records, instances, "
                "inputs, and is no table either");
    for (struct json_iter i = json_members(value); json_next(&i);) {
        const char *near = text_nearest(i.key, body_keys, BODY_KEYS);
        if (near) {
            error_hint(err, "did you mean \"%s\"?", near);
            break;
        }
    }
    return CTCD_E_INVALID;
}

static int recognise(const struct json *value, struct plan *plan, ctcd_error **err) {
    if (json_kind(value) == JSON_KIND_ARRAY) {
        if (json_size(value) == 0)
            return refuse(err, "the request has no rows");
        bool objects = json_kind(json_at(value, 0)) == JSON_KIND_OBJECT;
        plan->form = objects ? MLFLOW_RECORDS : MLFLOW_INSTANCES;
        return objects ? check_records(value, err) : 0;
    }
    if (json_kind(value) != JSON_KIND_OBJECT)
        return error_set(err, CTCD_E_INVALID, BODY_HINT, "a request is no %s",
                         json_kind_name(json_kind(value)));
    if (json_kind(json_get(value, "messages")) == JSON_KIND_ARRAY)
        return 0;
    if (is_split(value)) {
        plan->form = MLFLOW_SPLIT;
        return check_split(value, err);
    }
    if (all_members(value, true)) {
        *plan = (struct plan){.form = MLFLOW_RECORDS, .one_record = true};
        return 0;
    }
    if (!all_members(value, false))
        return refuse_object(value, err);
    plan->form = MLFLOW_INPUTS;
    return check_columns(value, err);
}

/* The form was named: does the value have it? */
static int check_form(const struct json *value, enum mlflow_form form, struct plan *plan,
                      ctcd_error **err) {
    bool array = json_kind(value) == JSON_KIND_ARRAY;
    bool object = json_kind(value) == JSON_KIND_OBJECT;
    plan->form = form;
    switch (form) {
    case MLFLOW_SPLIT:
        return object ? check_split(value, err)
                      : refuse(err, "split needs an object with \"data\"");
    case MLFLOW_RECORDS:
        plan->one_record = object;
        if (!array && !object)
            return refuse(err, "records needs a list of objects");
        return array ? check_records(value, err) : 0;
    case MLFLOW_INSTANCES:
        return array ? 0 : refuse(err, "instances needs a list");
    default:
        return array || object ? 0 : refuse(err, "inputs needs a list, or an object of columns");
    }
}

static int plan_request(const struct json *value, enum mlflow_form form, struct plan *plan,
                        ctcd_error **err) {
    const char *wrapped = NULL;
    enum mlflow_form has = MLFLOW_AUTO;
    for (size_t i = 0; i < BODY_KEYS; i++) {
        if (!json_get(value, body_keys[i]))
            continue;
        if (wrapped)
            return error_set(err, CTCD_E_INVALID, NULL,
                             "a request has one of the keys %s and %s, not both", wrapped,
                             body_keys[i]);
        wrapped = body_keys[i];
        has = (enum mlflow_form)(MLFLOW_SPLIT + (int)i);
    }
    if (wrapped && form != MLFLOW_AUTO && form != has)
        return error_set(err, CTCD_E_INVALID, NULL, "the request is %s already, not %s", wrapped,
                         mlflow_form_name(form));
    if (wrapped) {
        if (has == MLFLOW_SPLIT)
            return check_split(json_get(value, wrapped), err);
        return 0;
    }
    return form == MLFLOW_AUTO ? recognise(value, plan, err) : check_form(value, form, plan, err);
}

enum mlflow_protocol mlflow_protocol_of(const char *version) {
    return version && text_starts(version, "1.") ? MLFLOW_PROTOCOL_1 : MLFLOW_PROTOCOL_2;
}

/* A table or records that were wrapped for 2.0; CTCD_NONE: they are not. */
static int unwrap(const struct json *value, char **ret, ctcd_error **err) {
    const struct json *rows = json_get(value, body_keys[MLFLOW_SPLIT - MLFLOW_SPLIT]);
    if (!rows)
        rows = json_get(value, body_keys[MLFLOW_RECORDS - MLFLOW_SPLIT]);
    for (struct json_iter i = json_members(value); json_next(&i);) {
        bool known = false;
        for (size_t k = 0; k < BODY_KEYS; k++)
            known = known || strcmp(i.key, body_keys[k]) == 0;
        if (!known)
            return error_set(err, CTCD_E_INVALID, "leave it out",
                             "this server has MLflow 1.x, which knows no \"%.100s\" in a request",
                             i.key);
    }
    if (!rows)
        return CTCD_NONE;
    return (*ret = json_to_text(rows)) ? 0 : error_nomem(err);
}

int mlflow_encode(const char *text, size_t len, enum mlflow_form form, char **ret,
                  ctcd_error **err) {
    return mlflow_encode_for(MLFLOW_PROTOCOL_2, text, len, form, ret, err);
}

int mlflow_encode_for(enum mlflow_protocol protocol, const char *text, size_t len,
                      enum mlflow_form form, char **ret, ctcd_error **err) {
    _cleanup_(json_done) struct json *value = NULL;
    int rc = json_parse(text, len, MLFLOW_MAX_BODY_BYTES,
                        JSON_UNIQUE_KEYS | JSON_PYTHON | JSON_USER_INPUT, "request", &value, err);
    struct plan plan = {0};
    if (!rc)
        rc = plan_request(value, form, &plan, err);
    if (rc)
        return rc;
    const char *key = mlflow_form_name(plan.form);
    if (protocol == MLFLOW_PROTOCOL_1 && !key) {
        rc = unwrap(value, ret, err);
        if (rc != CTCD_NONE)
            return rc;
    }
    if (protocol == MLFLOW_PROTOCOL_1 && (plan.form == MLFLOW_SPLIT || plan.form == MLFLOW_RECORDS))
        key = NULL;
    _cleanup_(buf_done) struct buf body = {0};
    if (key)
        buf_addf(&body, "{\"%s\": ", key);
    buf_add(&body, plan.one_record ? "[" : "");
    buf_add_bytes(&body, text, len);
    buf_add(&body, plan.one_record ? "]" : "");
    if (key)
        buf_add(&body, "}");
    char *made = buf_steal(&body);
    if (!made)
        return error_nomem(err);
    *ret = made;
    return 0;
}

int mlflow_check_csv(const char *text, ctcd_error **err) {
    const char *rows = strchr(text, '\n');
    if (rows && text[strspn(text, " \t\r\n")] && rows[strspn(rows, " \t\r\n")])
        return 0;
    return error_set(err, CTCD_E_INVALID, "the first line names the columns: area,rooms",
                     "a request as CSV needs a line of names, and rows below it");
}

/* ---- answers ---- */

#define MESSAGE_BYTES 600

/* One line of at most MESSAGE_BYTES, without the advertisement for 2.0 that follows many messages. */
static void add_line(struct buf *out, const char *text) {
    const char *end = strstr(text, " IMPORTANT: ");
    size_t size = end ? (size_t)(end - text) : strlen(text);
    bool cut = size > MESSAGE_BYTES;
    if (cut) {
        size = MESSAGE_BYTES;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--; /* not in the middle of a character */
    }
    while (size > 0 && strchr(" \n\r\t.", text[size - 1]))
        size--;
    for (size_t i = 0; i < size; i++) {
        bool blank = (unsigned char)text[i] < 0x20 || text[i] == ' ' || text[i] == 0x7f;
        if (!blank)
            buf_add_char(out, text[i]);
        else if (out->len > 0 && out->text[out->len - 1] != ' ')
            buf_add_char(out, ' ');
    }
    if (cut)
        buf_add(out, " ...");
}

/* The last line of a Python stack trace: "ValueError: boom". */
static void add_exception(struct buf *out, const char *trace) {
    size_t end = strlen(trace);
    while (end > 0 && strchr(" \n\r", trace[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && trace[begin - 1] != '\n')
        begin--;
    _cleanup_(mem_free_ptr) char *line = mem_copy_bytes(trace + begin, end - begin);
    if (!line) {
        out->failed = true;
        return;
    }
    if (*line) {
        buf_add(out, " (");
        add_line(out, line);
        buf_add_char(out, ')');
    }
}

static int code_of(int http_status, const char *error_code) {
    if (http_status == 401 || http_status == 403)
        return CTCD_E_NOT_ALLOWED;
    if (http_status == 404 || text_same(error_code, "RESOURCE_DOES_NOT_EXIST"))
        return CTCD_E_NOT_FOUND;
    if (http_status == 408 || http_status == 429 || (http_status >= 502 && http_status <= 504))
        return CTCD_E_UNREACHABLE;
    if (http_status >= 400 && http_status < 500)
        return CTCD_E_INVALID;
    if (text_same(error_code, "BAD_REQUEST") || text_same(error_code, "INVALID_PARAMETER_VALUE"))
        return CTCD_E_INVALID;
    return http_status >= 500 ? CTCD_E_FAILED : CTCD_E_PROTOCOL;
}

static const char *hint_of(const char *message) {
    if (message &&
        (strstr(message, "Model is missing inputs") || strstr(message, "Failed to enforce schema")))
        return "this model has named columns: send {\"columns\": [...], \"data\": [[...]]} or "
               "records";
    return NULL;
}

/* What a page of HTML says in its title, in place; nothing without one. */
static const char *title_of(char *page) {
    char *title = strstr(page, "<title>");
    char *end = title ? strstr(title, "</title>") : NULL;
    if (!end)
        return NULL;
    *end = 0;
    return title + strlen("<title>");
}

static int decode_error(int http_status, const char *text, size_t len, ctcd_error **err) {
    _cleanup_(json_done) struct json *answer = NULL;
    _cleanup_(mem_free_ptr) char *plain = NULL;
    _cleanup_(buf_done) struct buf line = {0};
    int rc = json_parse(text, len, MLFLOW_MAX_BODY_BYTES, JSON_PYTHON, "answer", &answer, NULL);
    if (rc == CTCD_E_NOMEM)
        return error_nomem(err);
    const char *code_name = json_get_text(answer, "error_code");
    const char *message = json_get_text(answer, "message");
    const char *trace = json_get_text(answer, "stack_trace");
    if (!message)
        message = json_get_text(answer, "detail");
    if (!message && !answer && len > 0) { /* plain text of the framework, or of a proxy */
        plain = mem_copy_bytes(text, len < 4096 ? len : 4096);
        if (!plain)
            return error_nomem(err);
        message = plain[0] == '<' ? title_of(plain) : plain;
    }
    buf_addf(&line, "the model server answered %d", http_status);
    if (code_name)
        buf_addf(&line, " %.60s", code_name);
    if (message && *message) {
        buf_add(&line, ": ");
        add_line(&line, message);
    }
    if (trace)
        add_exception(&line, trace);
    if (line.failed)
        return error_nomem(err);
    int code = code_of(http_status, code_name);
    error_set(err, code, hint_of(message), "%s", line.text);
    if (err && *err) {
        error_set_http(*err, http_status);
        if (code == CTCD_E_UNREACHABLE)
            error_set_retryable(*err);
        if (trace)
            error_set_details(err, trace);
    }
    return code;
}

int mlflow_decode(int http_status, const char *text, size_t len, char **ret_predictions,
                  ctcd_error **err) {
    if (http_status != 200)
        return decode_error(http_status, text, len, err);
    _cleanup_(json_done) struct json *answer = NULL;
    int rc = json_parse(text, len, MLFLOW_MAX_BODY_BYTES, JSON_PYTHON, "answer of the model server",
                        &answer, err);
    if (rc)
        return rc;
    const struct json *predictions = json_get(answer, "predictions");
    char *made = json_to_text(predictions ? predictions : answer);
    if (!made)
        return error_nomem(err);
    *ret_predictions = made;
    return 0;
}

/* Length of the bare word of Python's at p, 0 = there is none. Outside of texts, letters of any other word
   are true, false and null, and the e of a number. */
static size_t bare_word(const char *p, size_t len) {
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if (size <= len && memcmp(p, words[i], size) == 0)
            return size;
    }
    return 0;
}

char *mlflow_strict(const char *text, size_t len) {
    _cleanup_(buf_done) struct buf out = {0};
    bool inside = false; /* of a text */
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        if (inside && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            inside = !inside;
        } else if (!inside) {
            size_t size = bare_word(text + i, len - i);
            if (!size)
                continue;
            buf_add_bytes(&out, text + done, i - done);
            buf_addf(&out, "\"%.*s\"", (int)size, text + i);
            i += size - 1;
            done = i + 1;
        }
    }
    buf_add_bytes(&out, text + done, len - done);
    return buf_steal(&out);
}
