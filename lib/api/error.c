/* Exported functions of the error object; everything happens in base/error.c. Called by programs. */
#include <ctcd/error.h>

#include "base/error.h"

ctcd_error *ctcd_error_ref(ctcd_error *err) {
    return error_ref(err);
}

ctcd_error *ctcd_error_unref(ctcd_error *err) {
    return error_unref(err);
}

int ctcd_error_code(const ctcd_error *err) {
    return error_code(err);
}

const char *ctcd_error_message(const ctcd_error *err) {
    return error_message(err);
}

const char *ctcd_error_hint(const ctcd_error *err) {
    return error_hint_text(err);
}

const char *ctcd_error_details(const ctcd_error *err) {
    return error_details(err);
}

int ctcd_error_http_status(const ctcd_error *err) {
    return error_http_status(err);
}

int ctcd_error_errno(const ctcd_error *err) {
    return error_errno(err);
}

int ctcd_error_retryable(const ctcd_error *err) {
    return error_retryable(err) ? 1 : 0;
}

const char *ctcd_code_name(int code) {
    return error_code_name(code);
}
