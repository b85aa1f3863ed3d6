/* What back ends read and fill (<ctcd/plugin.h>): options, revisions, observations, texts. They are inside
   the gate already; see api/call.c for the call itself. */
#include <string.h>

#include "base/text.h"
#include "engine/call.h"

static const char *shown(const char *text) {
    return text ? text : "";
}

/* What a server says may be anything. */
static char *copy_cleaned(const char *text) {
    char *copy = mem_copy_text(text);
    if (copy)
        text_make_utf8(copy);
    return copy;
}

static int replace_text(char **place, const char *text) {
    char *copy = text ? copy_cleaned(text) : NULL;
    if (text && !copy)
        return CTCD_E_NOMEM;
    mem_free(*place);
    *place = copy;
    return 0;
}

CTCD_API const char *ctcd_options_text(const ctcd_options *options, const char *name) {
    return options && name ? options_text(options, name) : NULL;
}

CTCD_API int64_t ctcd_options_number(const ctcd_options *options, const char *name) {
    return options && name ? options_number(options, name) : 0;
}

/* ---- the revision ---- */

CTCD_API const char *ctcd_revision_service_uuid(const ctcd_revision *revision) {
    return revision ? shown(revision->service_uuid) : "";
}

CTCD_API int64_t ctcd_revision_number(const ctcd_revision *revision) {
    return revision ? revision->number : 0;
}

CTCD_API int64_t ctcd_revision_generation(const ctcd_revision *revision) {
    return revision ? revision->generation : 0;
}

CTCD_API const char *ctcd_revision_model_uri(const ctcd_revision *revision) {
    return revision ? shown(revision->model_uri) : "";
}

CTCD_API const char *ctcd_revision_pinned_uri(const ctcd_revision *revision) {
    return revision ? shown(revision->pinned_uri) : "";
}

static int set_shown(ctcd_revision *revision, char **place, const char *text) {
    if (text && !text_is_utf8(text))
        return CTCD_E_INVALID;
    if (text_same(*place, text))
        return 0;
    revision->changed = true;
    return replace_text(place, text);
}

CTCD_API int ctcd_revision_set_pinned_uri(ctcd_revision *revision, const char *uri) {
    return revision ? set_shown(revision, &revision->pinned_uri, uri) : CTCD_E_INVALID;
}

CTCD_API int ctcd_revision_set_smoke(ctcd_revision *revision, const char *input_json,
                                     const char *hint) {
    if (!revision || (input_json && !text_is_utf8(input_json)))
        return CTCD_E_INVALID;
    int rc = replace_text(&revision->smoke, input_json);
    return rc ? rc : replace_text(&revision->smoke_hint, hint);
}

CTCD_API const char *ctcd_revision_model_name(const ctcd_revision *revision) {
    return revision ? shown(revision->model_name) : "";
}

CTCD_API const char *ctcd_revision_run_name(const ctcd_revision *revision) {
    return revision ? shown(revision->run) : "";
}

CTCD_API const ctcd_options *ctcd_revision_options(const ctcd_revision *revision) {
    return revision ? revision->options : NULL;
}

CTCD_API const char *ctcd_revision_folder(const ctcd_revision *revision) {
    return revision ? shown(revision->folder) : "";
}

CTCD_API const char *ctcd_revision_shim(const ctcd_revision *revision) {
    return revision ? shown(revision->shim) : "";
}

CTCD_API const char *ctcd_revision_memo(const ctcd_revision *revision) {
    return revision ? shown(revision->memo) : "";
}

CTCD_API int ctcd_revision_set_memo(ctcd_revision *revision, const char *memo) {
    return revision ? set_shown(revision, &revision->memo, memo) : CTCD_E_INVALID;
}

CTCD_API const char *ctcd_revision_url(const ctcd_revision *revision) {
    return revision ? shown(revision->url) : "";
}

CTCD_API int ctcd_revision_set_url(ctcd_revision *revision, const char *url) {
    return revision ? set_shown(revision, &revision->url, url) : CTCD_E_INVALID;
}

CTCD_API int ctcd_revision_wanted(const ctcd_revision *revision) {
    return revision ? revision->wanted : 0;
}

/* ---- the observation ---- */

CTCD_API int ctcd_observation_set_state(ctcd_observation *out, int state) {
    if (!out || state < CTCD_STATE_INACTIVE || state > CTCD_STATE_UNKNOWN)
        return CTCD_E_INVALID;
    out->state = state;
    return 0;
}

CTCD_API int ctcd_observation_set_message(ctcd_observation *out, const char *message) {
    return out ? replace_text(&out->message, message) : CTCD_E_INVALID;
}

CTCD_API int ctcd_observation_set_error(ctcd_observation *out, const char *cause,
                                        const char *hint) {
    if (!out)
        return CTCD_E_INVALID;
    int rc = replace_text(&out->cause, cause);
    return rc ? rc : replace_text(&out->hint, hint);
}

CTCD_API int ctcd_observation_set_log_tail(ctcd_observation *out, const char *text) {
    return out ? replace_text(&out->log_tail, text) : CTCD_E_INVALID;
}

CTCD_API int ctcd_observation_set_final(ctcd_observation *out) {
    if (!out)
        return CTCD_E_INVALID;
    out->final = true;
    return 0;
}

CTCD_API int ctcd_observation_set_ended_well(ctcd_observation *out) {
    if (!out)
        return CTCD_E_INVALID;
    out->ended_well = true;
    return 0;
}

CTCD_API int ctcd_observation_add_property(ctcd_observation *out, const char *name,
                                           const char *value) {
    if (!out || !name || !value)
        return CTCD_E_INVALID;
    char **names = mem_resize(out->names, out->count + 1, sizeof(*names));
    if (!names)
        return CTCD_E_NOMEM;
    out->names = names;
    char **values = mem_resize(out->values, out->count + 1, sizeof(*values));
    if (!values)
        return CTCD_E_NOMEM;
    out->values = values;
    char *n = copy_cleaned(name), *v = copy_cleaned(value);
    if (!n || !v) {
        mem_free(n);
        mem_free(v);
        return CTCD_E_NOMEM;
    }
    names[out->count] = n;
    values[out->count++] = v;
    return 0;
}

CTCD_API int ctcd_text_add(ctcd_text *text, const char *bytes, size_t size) {
    if (!text || (!bytes && size))
        return CTCD_E_INVALID;
    if (size > TEXT_MAX_BYTES - text->buf.len) {
        text->too_large = true;
        return CTCD_E_TOO_LARGE;
    }
    buf_add_bytes(&text->buf, bytes, size);
    return text->buf.failed ? CTCD_E_NOMEM : 0;
}
