/* States of services: tests/table/child_state.tsv against all combinations of facts, and the merge with
   what the engine knows. */
#include "suite.h"

#include "core/service.h"

#define COLUMNS 8
static const char *const values[COLUMNS][6] = {
    {"free", "held"},
    {"none", "wanted", "other_boot"},
    {"no", "yes"},
    {"no", "yes"},
    {"not_asked", "ready", "not_ready", "refused", "silent"},
    {"inactive", "active"},
};
static const int sizes[6] = {2, 3, 2, 2, 5, 2};

static char rows[64][COLUMNS][24];
static int row_count;

static void read_table(void) {
    char path[4096];
    suite_source(path, "tests/table/child_state.tsv");
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "cannot open %s", path);
    char text[256];
    row_count = 0;
    while (fgets(text, sizeof text, file)) {
        char *rest = text;
        text[strcspn(text, "\n")] = 0;
        if (!*text || *text == '#')
            continue;
        ck_assert_int_lt(row_count, 64);
        for (int i = 0; i < COLUMNS; i++) {
            char *column = strsep(&rest, "\t");
            ck_assert_msg(column, "row %d has not eight columns", row_count);
            snprintf(rows[row_count][i], sizeof rows[0][0], "%s", column);
        }
        row_count++;
    }
    fclose(file);
}

static int row_of(const int fact[6]) {
    for (int r = 0; r < row_count; r++) {
        bool fits = true;
        for (int i = 0; i < 6 && fits; i++)
            fits = strcmp(rows[r][i], "*") == 0 || strcmp(rows[r][i], values[i][fact[i]]) == 0;
        if (fits)
            return r;
    }
    return -1;
}

START_TEST(children) {
    bool used[64] = {false};
    read_table();
    for (int n = 0; n < 2 * 3 * 2 * 2 * 5 * 2; n++) {
        int fact[6];
        int rest = n;
        for (int i = 0; i < 6; i++) {
            fact[i] = rest % sizes[i];
            rest /= sizes[i];
        }
        struct child_facts facts = {
            .lock_held = fact[0],
            .record = (enum child_record)fact[1],
            .exit_recorded = fact[2],
            .was_ready = fact[3],
            .probe = (enum child_probe)fact[4],
        };
        int row = row_of(fact);
        ck_assert_msg(row >= 0, "no row for combination %d", n);
        used[row] = true;
        struct child_state got =
            service_child_state(fact[5] ? CTCD_STATE_ACTIVE : CTCD_STATE_INACTIVE, &facts);
        ck_assert_msg(strcmp(service_state_name(got.state), rows[row][6]) == 0, "row %d: %s", row,
                      service_state_name(got.state));
        ck_assert_msg(strcmp(child_note_text(got.note), rows[row][7]) == 0, "row %d: %s", row,
                      child_note_text(got.note));
    }
    for (int r = 0; r < row_count; r++)
        ck_assert_msg(used[r], "row %d never fits", r);
}
END_TEST

START_TEST(a_crashed_server_is_an_error_and_a_stopped_one_is_not) {
    struct child_facts ended = {.record = CHILD_RECORD_WANTED, .exit_recorded = true};
    ck_assert_int_eq(service_child_state(CTCD_STATE_ACTIVE, &ended).state, CTCD_STATE_ERROR);
    ck_assert_int_eq(service_child_state(CTCD_STATE_INACTIVE, &ended).state, CTCD_STATE_INACTIVE);
}
END_TEST

START_TEST(whole_service) {
    enum { NO, YES };
    static const struct {
        bool revision;
        int observed;
        bool failed;
        enum service_operation operation;
        bool live;
        int state;
    } table[] = {
        /* nothing yet, first deploy running, interrupted, failed */
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_NONE, NO, CTCD_STATE_INACTIVE},
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {NO, CTCD_STATE_UNKNOWN, NO, OPERATION_STARTING, NO, CTCD_STATE_INACTIVE},
        {NO, CTCD_STATE_UNKNOWN, YES, OPERATION_NONE, NO, CTCD_STATE_ERROR},
        {NO, CTCD_STATE_UNKNOWN, YES, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        /* it serves; a failed replace does not change that */
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_NONE, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ACTIVE, YES, OPERATION_NONE, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STARTING, YES, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_DEGRADED, NO, OPERATION_STARTING, YES, CTCD_STATE_DEGRADED},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STARTING, NO, CTCD_STATE_ACTIVE},
        /* it does not */
        {YES, CTCD_STATE_ERROR, NO, OPERATION_NONE, NO, CTCD_STATE_ERROR},
        {YES, CTCD_STATE_ERROR, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {YES, CTCD_STATE_INACTIVE, NO, OPERATION_STARTING, YES, CTCD_STATE_PENDING_STARTUP},
        {YES, CTCD_STATE_INACTIVE, NO, OPERATION_NONE, NO, CTCD_STATE_INACTIVE},
        {YES, CTCD_STATE_UNKNOWN, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        {YES, 0, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        {YES, 99, NO, OPERATION_NONE, NO, CTCD_STATE_UNKNOWN},
        /* going down */
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STOPPING, YES, CTCD_STATE_PENDING_SHUTDOWN},
        {YES, CTCD_STATE_ACTIVE, NO, OPERATION_STOPPING, NO, CTCD_STATE_ACTIVE},
        {YES, CTCD_STATE_ERROR, NO, OPERATION_STOPPING, YES, CTCD_STATE_PENDING_SHUTDOWN},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct service_facts facts = {
            .desired = CTCD_STATE_ACTIVE,
            .has_revision = table[i].revision,
            .observed = table[i].observed,
            .failed = table[i].failed,
            .operation = table[i].operation,
            .operation_live = table[i].live,
        };
        ck_assert_msg(service_state(&facts) == table[i].state, "row %zu: %s", i,
                      service_state_name(service_state(&facts)));
    }
}
END_TEST

START_TEST(names) {
    for (int state = CTCD_STATE_INACTIVE; state <= CTCD_STATE_UNKNOWN; state++) {
        int back = 0;
        ck_assert(service_state_from_name(service_state_name(state), &back));
        ck_assert_int_eq(back, state);
        bool runs = state == CTCD_STATE_ACTIVE || state == CTCD_STATE_DEGRADED;
        ck_assert_int_eq(service_state_running(state), runs);
    }
    int back = 42;
    ck_assert(!service_state_from_name("running", &back) && !service_state_from_name(NULL, &back));
    ck_assert_int_eq(back, 42);
    ck_assert_str_eq(service_state_name(0), "unknown");
    ck_assert_str_eq(service_state_name(-1), "unknown");
    ck_assert_str_eq(service_state_name(8), "unknown");
    ck_assert(!service_state_running(0));
    ck_assert_str_eq(child_note_text((enum child_note)99), "");
}
END_TEST

SUITE_MAIN("service", children, a_crashed_server_is_an_error_and_a_stopped_one_is_not,
           whole_service, names)
