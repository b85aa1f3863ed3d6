/* The forms of output and the texts of cells. Used by all commands. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"

void *need(void *memory) {
    if (memory)
        return memory;
    fputs("ctcd: out of memory\n", stderr);
    exit(EXIT_FAILED);
}

char *text_of(const char *format, ...) {
    char *text = NULL;
    va_list values;
    va_start(values, format);
    if (vasprintf(&text, format, values) < 0)
        text = NULL;
    va_end(values);
    return need(text);
}

int on_terminal(void) {
    static int known = -1;
    if (known < 0) {
        const char *term = getenv("TERM");
        known = isatty(STDOUT_FILENO) && !(term && strcmp(term, "dumb") == 0);
    }
    return known;
}

const char *output_format(const struct request *req) {
    const char *form = option(req, "output");
    return form && strcmp(form, "table") != 0 ? form : NULL;
}

int print_text(int rc, char *text) {
    if (rc)
        return rc;
    fputs(text, stdout);
    size_t length = strlen(text);
    if (length && text[length - 1] != '\n')
        putchar('\n');
    ctcd_free(text);
    return 0;
}

void print_clean(FILE *out, const char *text, const char *indent) {
    for (int start = 1; *text; text++) {
        if (start)
            fputs(indent, out);
        start = *text == '\n';
        unsigned char c = (unsigned char)*text;
        /* C1 controls are two bytes in UTF-8; the second alone would not be understood as one. */
        int control =
            (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ||
            (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0);
        putc(control ? '?' : c, out);
        if (control && c == 0xc2)
            text++;
        if (c == '\n' && !text[1])
            return;
    }
    putc('\n', out);
}

char *time_text(int64_t ms) {
    char text[32] = "";
    if (ms != CTCD_TIME_NONE && ctcd_time_format(ms, text, sizeof text) != 0)
        text[0] = '\0';
    return text_of("%s", text);
}

char *span_text(int64_t from_ms, int64_t to_ms) {
    if (from_ms == CTCD_TIME_NONE || to_ms == CTCD_TIME_NONE || to_ms < from_ms)
        return text_of("%s", "");
    long long ms = to_ms - from_ms;
    if (ms < 60000)
        return text_of("%lld.%lld s", ms / 1000, ms % 1000 / 100);
    if (ms < 3600000)
        return text_of("%lld min %lld s", ms / 60000, ms / 1000 % 60);
    return text_of("%lld h %lld min", ms / 3600000, ms / 60000 % 60);
}

const char *state_cell(int state) {
    if (!on_terminal())
        return ctcd_state_name(state);
    switch (state) {
    case CTCD_STATE_ACTIVE:
        return "✅";
    case CTCD_STATE_INACTIVE:
        return "⏸";
    case CTCD_STATE_ERROR:
        return "❗";
    case CTCD_STATE_DEGRADED:
        return "⚠";
    case CTCD_STATE_UNKNOWN:
        return "❓";
    default:
        return "⏳";
    }
}

const char *yes_cell(int yes) {
    if (on_terminal())
        return yes ? "👉" : "";
    return yes ? "yes" : "no";
}

const char *type_words(int type) {
    switch (type) {
    case CTCD_COMPONENT_ORCHESTRATOR:
        return "orchestrator";
    case CTCD_COMPONENT_ARTIFACT_STORE:
        return "artifact store";
    case CTCD_COMPONENT_METADATA_STORE:
        return "metadata store";
    default:
        return "model deployer";
    }
}
