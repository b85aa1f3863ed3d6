/* The error object. Immutable for everybody who holds a reference: changes are made only while there
   is one reference, else on a copy. Called by every function that a person may want to hear about. */
#include "base/error.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/text.h"

struct ctcd_error {
    _Atomic unsigned refs; /* of the static one: not counted */
    int code;
    int os_errno;
    int http_status;
    bool retryable;
    char *message; /* NULL only in the static one */
    char *hint;
    char *details;
};

/* Given out when there is no memory for a real one, so that the code at least is right; by its number. Never
   changed, never freed. */
#define POOR(n) [n] = {.code = -(n)}
static ctcd_error poor[] = {POOR(1),  POOR(2),  POOR(3),  POOR(4),  POOR(5),  POOR(6),
                            POOR(7),  POOR(8),  POOR(9),  POOR(10), POOR(11), POOR(12),
                            POOR(13), POOR(14), POOR(15), POOR(16), POOR(17), POOR(18),
                            POOR(19), POOR(20), POOR(21), POOR(22), POOR(23)};
#undef POOR
#define POOR_COUNT ((int)(sizeof poor / sizeof poor[0]))
_Static_assert(-CTCD_E_NEVER == sizeof poor / sizeof poor[0] - 1, "a code is missing above");

static ctcd_error *poor_of(int code) {
    return &poor[code < 0 && code > -POOR_COUNT ? -code : -CTCD_E_NOMEM];
}

/* Counted, freed and changed: not one of these. */
static bool is_real(const ctcd_error *err) {
    return err && (err < poor || err >= poor + POOR_COUNT);
}

static const struct {
    int code;
    const char *name;
} code_names[] = {
#define NAME(code)                                                                                 \
    { code, #code }
    NAME(CTCD_OK),
    NAME(CTCD_AGAIN),
    NAME(CTCD_NONE),
    NAME(CTCD_E_INVALID),
    NAME(CTCD_E_NOMEM),
    NAME(CTCD_E_NOT_FOUND),
    NAME(CTCD_E_EXISTS),
    NAME(CTCD_E_CONFLICT),
    NAME(CTCD_E_TIMEOUT),
    NAME(CTCD_E_CANCELED),
    NAME(CTCD_E_INTERRUPTED),
    NAME(CTCD_E_NOT_ALLOWED),
    NAME(CTCD_E_UNREACHABLE),
    NAME(CTCD_E_FAILED),
    NAME(CTCD_E_NOT_SUPPORTED),
    NAME(CTCD_E_IO),
    NAME(CTCD_E_CORRUPT),
    NAME(CTCD_E_NEWER),
    NAME(CTCD_E_BUSY),
    NAME(CTCD_E_REENTRANT),
    NAME(CTCD_E_FORKED),
    NAME(CTCD_E_PLUGIN),
    NAME(CTCD_E_NO_SPACE),
    NAME(CTCD_E_TOO_LARGE),
    NAME(CTCD_E_PROTOCOL),
    NAME(CTCD_E_NEVER),
#undef NAME
};

const char *error_code_name(int code) {
    for (size_t i = 0; i < sizeof code_names / sizeof code_names[0]; i++)
        if (code_names[i].code == code)
            return code_names[i].name;
    return "unknown";
}

int error_code_of_errno(int os_errno) {
    switch (os_errno) {
    case ENOENT:
    case ENOTDIR:
        return CTCD_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return CTCD_E_NOT_ALLOWED;
    case ENOMEM:
        return CTCD_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return CTCD_E_NO_SPACE;
    case EEXIST:
        return CTCD_E_EXISTS;
    default:
        return CTCD_E_IO;
    }
}

static void free_error(ctcd_error *err) {
    mem_free(err->message);
    mem_free(err->hint);
    mem_free(err->details);
    mem_free(err);
}

ctcd_error *error_ref(ctcd_error *err) {
    if (is_real(err))
        atomic_fetch_add_explicit(&err->refs, 1, memory_order_relaxed);
    return err;
}

ctcd_error *error_unref(ctcd_error *err) {
    if (is_real(err) && atomic_fetch_sub_explicit(&err->refs, 1, memory_order_acq_rel) == 1)
        free_error(err);
    return NULL;
}

void error_done(ctcd_error **err) {
    *err = error_unref(*err);
}

/* Only now is an older error released: the new message may have been made from it. */
static int replace(ctcd_error **err, int code, ctcd_error *newer) {
    error_unref(*err);
    *err = newer ? newer : poor_of(code);
    return code;
}

/* Lines for people: a terminal must not obey what a server's log or a stack trace holds. */
static void clean_details(char *text) {
    text_make_utf8(text);
    for (; *text; text++)
        if (*text != '\n' && *text != '\t')
            memset(text, ' ', text_control(text));
}

/* Takes message, also on failure; copies hint and details. NULL = out of memory. */
static ctcd_error *make(int code, char *message, const char *hint, const char *details) {
    ctcd_error *made = mem_alloc(sizeof *made);
    if (!made || !message) {
        mem_free(made);
        mem_free(message);
        return NULL;
    }
    atomic_init(&made->refs, 1);
    made->code = code;
    made->message = message;
    made->hint = mem_copy_text(hint);
    made->details = mem_copy_text(details);
    if ((hint && !made->hint) || (details && !made->details)) {
        free_error(made);
        return NULL;
    }
    /* Names of files, answers of servers and texts cut by "%.100s" end up in messages and hints; those end
       up in JSON and on terminals. */
    text_make_line(made->message);
    if (made->hint)
        text_make_line(made->hint);
    if (made->details)
        clean_details(made->details);
    return made;
}

int error_set(ctcd_error **err, int code, const char *hint, const char *fmt, ...) {
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    char *message = mem_vtext(fmt, args);
    va_end(args);
    return replace(err, code, make(code, message, hint, NULL));
}

static const char *describe_errno(int os_errno) {
#ifdef __GLIBC__
    const char *words = strerrordesc_np(os_errno); /* untranslated, and safe in threads */
    return words ? words : "unknown error";
#else
    return strerror(os_errno);
#endif
}

int error_system(ctcd_error **err, int os_errno, const char *fmt, ...) {
    int code = error_code_of_errno(os_errno);
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    char *what = mem_vtext(fmt, args);
    va_end(args);
    char *message = what ? mem_text("%s: %s", what, describe_errno(os_errno)) : NULL;
    mem_free(what);
    ctcd_error *made = make(code, message, NULL, NULL);
    if (made)
        made->os_errno = os_errno;
    return replace(err, code, made);
}

int error_unsaid(ctcd_error **err, int code) {
    return err ? replace(err, code, NULL) : code;
}

int error_nomem(ctcd_error **err) {
    return err ? replace(err, CTCD_E_NOMEM, NULL) : CTCD_E_NOMEM;
}

/* The error as one that may be changed: itself while nobody else has it, else a copy in its place.
   NULL = there is none, or no memory for the copy; then the error stays as it is. */
static ctcd_error *own(ctcd_error **err) {
    if (!err || !is_real(*err))
        return NULL;
    ctcd_error *old = *err;
    if (atomic_load_explicit(&old->refs, memory_order_acquire) == 1)
        return old;
    ctcd_error *copy = make(old->code, mem_copy_text(old->message), old->hint, old->details);
    if (!copy)
        return NULL;
    copy->os_errno = old->os_errno;
    copy->http_status = old->http_status;
    copy->retryable = old->retryable;
    replace(err, old->code, copy);
    return copy;
}

static int code_in(ctcd_error *const *err) {
    return err && *err ? (*err)->code : CTCD_E_FAILED;
}

int error_prefix(ctcd_error **err, const char *fmt, ...) {
    ctcd_error *mine = own(err);
    if (!mine)
        return code_in(err);
    va_list args;
    va_start(args, fmt);
    char *prefix = mem_vtext(fmt, args);
    va_end(args);
    char *message = prefix ? mem_text("%s: %s", prefix, mine->message) : NULL;
    mem_free(prefix);
    if (message) {
        mem_free(mine->message);
        mine->message = message;
        text_make_line(mine->message);
    }
    return mine->code;
}

int error_hint(ctcd_error **err, const char *fmt, ...) {
    ctcd_error *mine = own(err);
    if (!mine)
        return code_in(err);
    va_list args;
    va_start(args, fmt);
    char *hint = mem_vtext(fmt, args);
    va_end(args);
    if (hint) {
        mem_free(mine->hint);
        mine->hint = hint;
        text_make_line(mine->hint);
    }
    return mine->code;
}

int error_set_details(ctcd_error **err, const char *details) {
    ctcd_error *mine = own(err);
    if (!mine)
        return code_in(err);
    char *copy = mem_copy_text(details);
    if (copy || !details) {
        mem_free(mine->details);
        mine->details = copy;
        if (copy)
            clean_details(copy);
    }
    return mine->code;
}

void error_set_http(ctcd_error *err, int http_status) {
    if (is_real(err))
        err->http_status = http_status;
}

void error_set_retryable(ctcd_error *err) {
    if (is_real(err))
        err->retryable = true;
}

int error_code(const ctcd_error *err) {
    return err ? err->code : 0;
}

const char *error_message(const ctcd_error *err) {
    if (is_real(err))
        return err->message;
    return !err                        ? ""
           : err->code == CTCD_E_NOMEM ? "out of memory"
                                       : "what went wrong cannot be said: out of memory";
}

const char *error_hint_text(const ctcd_error *err) {
    return err ? err->hint : NULL;
}

const char *error_details(const ctcd_error *err) {
    return err ? err->details : NULL;
}

int error_http_status(const ctcd_error *err) {
    return err ? err->http_status : 0;
}

int error_errno(const ctcd_error *err) {
    return err ? err->os_errno : 0;
}

bool error_retryable(const ctcd_error *err) {
    return err && err->retryable;
}
