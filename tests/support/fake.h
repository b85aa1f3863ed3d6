/* A back end that lives in the test, registered through the public function. Its servers are rows of a table,
   its methods leave a trace, and a test puts a hook in front of any of them:

       static int slow(struct fake_in *in) { return in->entry == 1 ? fake_until(in, 100) : FAKE_GO_ON; }
       fake.hook[FAKE_APPLY] = slow;

   Header only. Needs a context in `ctx` (api.h). */
#ifndef CTCD_TESTS_FAKE_H
#define CTCD_TESTS_FAKE_H

#include "api.h"

enum fake_method {
    FAKE_OPEN,
    FAKE_VALIDATE,
    FAKE_APPLY,
    FAKE_OBSERVE,
    FAKE_REMOVE,
    FAKE_LOGS,
    FAKE_PREDICT,
    FAKE_ANNOUNCE, /* in the table only where a test puts it there */
    FAKE_METHODS
};

#define FAKE_GO_ON 1000 /* a hook's result: do what the method does by itself */
#define FAKE_SERVERS 2048

struct fake;

/* One entry into a method. */
struct fake_in {
    struct fake *fake;
    enum fake_method method;
    int entry; /* 1 = the first one of this call */
    ctcd_call *call;
    ctcd_revision *revision; /* NULL for open */
    ctcd_observation *out;
    ctcd_text *text;
    const char *body;
    int64_t lines;
    uint32_t flags;
    const ctcd_options *options; /* open */
};
typedef int (*fake_hook)(struct fake_in *in);

struct fake_server {
    char service[37];
    int64_t number, generation;
    int state; /* what observe says while it runs; 0 = active */
    bool runs;
};

/* Memory of a call, made at its first entry. */
struct fake_scratch {
    struct fake *fake;
    int entries;
};

struct fake {
    fake_hook hook[FAKE_METHODS];
    int entries[FAKE_METHODS], calls[FAKE_METHODS];
    int opened, closed, destroyed;
    int scratches, scratches_destroyed;
    int most_entries; /* in one dispatch: the test clears `entries_now` before it */
    int entries_now;
    bool traces;        /* write what happens into `trace` ... */
    bool tells_scratch; /* ... and that the memory of a call was destroyed */
    char trace[16384];
    struct fake_server servers[FAKE_SERVERS];
    size_t server_count;
    void *data; /* the test's */
};

static struct fake fake;

static inline void fake_say(struct fake *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline void fake_say(struct fake *f, const char *fmt, ...) {
    size_t at = strlen(f->trace);
    va_list args;
    if (!f->traces)
        return;
    if (at && at + 1 < sizeof f->trace)
        f->trace[at++] = ' ';
    va_start(args, fmt);
    int n = vsnprintf(f->trace + at, sizeof f->trace - at, fmt, args);
    va_end(args);
    ck_assert_msg(n >= 0 && (size_t)n < sizeof f->trace - at, "the trace is full");
}

static inline struct fake_server *fake_server(struct fake *f, const ctcd_revision *revision) {
    const char *uuid = ctcd_revision_service_uuid(revision);
    int64_t number = ctcd_revision_number(revision);
    for (size_t i = 0; i < f->server_count; i++)
        if (f->servers[i].number == number && strcmp(f->servers[i].service, uuid) == 0)
            return &f->servers[i];
    return NULL;
}

/* How many servers run? */
static inline int fake_running(const struct fake *f) {
    int count = 0;
    for (size_t i = 0; i < f->server_count; i++)
        count += f->servers[i].runs;
    return count;
}

/* ---- what hooks say ---- */

static inline int fake_until(const struct fake_in *in, int64_t ms) {
    int rc = ctcd_call_wait_until(in->call, ctcd_call_now(in->call) + ms);
    return rc ? rc : CTCD_AGAIN;
}

static inline int fake_for_ever(const struct fake_in *in) {
    int rc = ctcd_call_wait_wake(in->call);
    return rc ? rc : CTCD_AGAIN;
}

/* ---- the methods ---- */

static inline void fake_scratch_destroy(void *memory) {
    struct fake_scratch *scratch = memory;
    struct fake *f = scratch->fake;
    f->scratches_destroyed++;
    if (f->tells_scratch)
        fake_say(f, "scratch");
}

static const char *const fake_names[] = {"open",   "validate", "apply",   "observe",
                                         "remove", "logs",     "predict", "announce"};

/* Counts, traces, asks the hook. FAKE_GO_ON = the method goes on by itself. */
static inline int fake_enter(struct fake_in *in) {
    struct fake *f = in->fake;
    struct fake_scratch *scratch = NULL;
    int rc = ctcd_call_scratch(in->call, sizeof *scratch, fake_scratch_destroy, (void **)&scratch);
    if (rc)
        return rc;
    if (!scratch->fake) {
        scratch->fake = f;
        f->scratches++;
        f->calls[in->method]++;
        if (in->revision)
            fake_say(f, "%s:%lld%s", fake_names[in->method],
                     (long long)ctcd_revision_number(in->revision), in->flags ? "!" : "");
        else
            fake_say(f, "%s", fake_names[in->method]);
    }
    in->entry = ++scratch->entries;
    f->entries[in->method]++;
    f->entries_now++;
    return f->hook[in->method] ? f->hook[in->method](in) : FAKE_GO_ON;
}

static int fake_open(ctcd_call *call, const ctcd_options *options, void *user_data,
                     void **ret_impl) {
    struct fake_in in = {.fake = user_data, .method = FAKE_OPEN, .call = call, .options = options};
    int rc = fake_enter(&in);
    if (rc != FAKE_GO_ON && rc != 0)
        return rc;
    in.fake->opened++;
    *ret_impl = in.fake;
    return 0;
}

static void fake_close(void *impl) {
    struct fake *f = impl;
    f->closed++;
    fake_say(f, "close");
}

static int fake_validate(void *impl, ctcd_call *call, ctcd_revision *want) {
    struct fake_in in = {.fake = impl, .method = FAKE_VALIDATE, .call = call, .revision = want};
    char pinned[300];
    int rc = fake_enter(&in);
    if (rc != FAKE_GO_ON)
        return rc;
    (void)snprintf(pinned, sizeof pinned, "pinned:%s", ctcd_revision_model_uri(want));
    return ctcd_revision_set_pinned_uri(want, pinned);
}

static int fake_apply(void *impl, ctcd_call *call, ctcd_revision *want) {
    struct fake_in in = {.fake = impl, .method = FAKE_APPLY, .call = call, .revision = want};
    int rc = fake_enter(&in);
    if (rc != FAKE_GO_ON)
        return rc;
    struct fake *f = in.fake;
    struct fake_server *server = fake_server(f, want);
    if (!server) {
        ck_assert_uint_lt(f->server_count, FAKE_SERVERS);
        server = &f->servers[f->server_count++];
        (void)snprintf(server->service, sizeof server->service, "%s",
                       ctcd_revision_service_uuid(want));
        server->number = ctcd_revision_number(want);
    }
    server->generation = ctcd_revision_generation(want);
    server->runs = true;
    char url[80], memo[80];
    (void)snprintf(url, sizeof url, "fake://127.0.0.1/%lld", (long long)server->number);
    (void)snprintf(memo, sizeof memo, "generation %lld", (long long)server->generation);
    rc = ctcd_revision_set_url(want, url);
    return rc ? rc : ctcd_revision_set_memo(want, memo);
}

static int fake_observe(void *impl, ctcd_call *call, const ctcd_revision *revision,
                        ctcd_observation *out) {
    struct fake_in in = {.fake = impl,
                         .method = FAKE_OBSERVE,
                         .call = call,
                         .revision = (ctcd_revision *)(uintptr_t)revision,
                         .out = out};
    int rc = fake_enter(&in);
    if (rc != FAKE_GO_ON)
        return rc;
    const struct fake_server *server = fake_server(in.fake, revision);
    int state = !server || !server->runs ? CTCD_STATE_INACTIVE
                : server->state          ? server->state
                                         : CTCD_STATE_ACTIVE;
    rc = ctcd_observation_set_message(out, "the fake looked");
    return rc ? rc : ctcd_observation_set_state(out, state);
}

static int fake_remove(void *impl, ctcd_call *call, const ctcd_revision *revision, uint32_t flags) {
    struct fake_in in = {.fake = impl,
                         .method = FAKE_REMOVE,
                         .call = call,
                         .revision = (ctcd_revision *)(uintptr_t)revision,
                         .flags = flags};
    int rc = fake_enter(&in);
    if (rc != FAKE_GO_ON)
        return rc;
    struct fake_server *server = fake_server(in.fake, revision);
    if (server)
        server->runs = false;
    return 0;
}

static int fake_logs(void *impl, ctcd_call *call, const ctcd_revision *revision, int64_t lines,
                     ctcd_text *out) {
    struct fake_in in = {.fake = impl,
                         .method = FAKE_LOGS,
                         .call = call,
                         .revision = (ctcd_revision *)(uintptr_t)revision,
                         .lines = lines,
                         .text = out};
    int rc = fake_enter(&in);
    return rc != FAKE_GO_ON ? rc : ctcd_text_add(out, "a line\n", 7);
}

static int fake_predict(void *impl, ctcd_call *call, const ctcd_revision *revision,
                        const char *body, ctcd_text *out) {
    struct fake_in in = {.fake = impl,
                         .method = FAKE_PREDICT,
                         .call = call,
                         .revision = (ctcd_revision *)(uintptr_t)revision,
                         .body = body,
                         .text = out};
    int rc = fake_enter(&in);
    return rc != FAKE_GO_ON ? rc : ctcd_text_add(out, body, strlen(body));
}

static inline int fake_announce(void *impl, ctcd_call *call, const ctcd_revision *revision) {
    struct fake_in in = {.fake = impl,
                         .method = FAKE_ANNOUNCE,
                         .call = call,
                         .revision = (ctcd_revision *)(uintptr_t)revision};
    int rc = fake_enter(&in);
    return rc != FAKE_GO_ON ? rc : 0;
}

static inline ctcd_model_deployer_vtable fake_table(void) {
    return (ctcd_model_deployer_vtable){
        .size = sizeof(ctcd_model_deployer_vtable),
        .abi = CTCD_PLUGIN_ABI,
        .flavor = "fake",
        .open = fake_open,
        .close = fake_close,
        .validate = fake_validate,
        .apply = fake_apply,
        .observe = fake_observe,
        .remove = fake_remove,
        .logs = fake_logs,
        .predict = fake_predict,
    };
}

static inline void fake_destroy(void *user_data) {
    struct fake *f = user_data;
    f->destroyed++;
    fake_say(f, "destroy");
}

/* ---- a home with it ---- */

static ctcd_model_deployer *deployer;

/* Makes the flavor known to a context, as each program has to. */
static inline void fake_register(ctcd_context *to) {
    ctcd_model_deployer_vtable table = fake_table();
    ok(ctcd_context_register_deployer(to, &table, &fake, fake_destroy, &err));
}

static inline void fake_component(const char *name) {
    ctcd_component *component = NULL;
    ok(ctcd_component_new(ctx, CTCD_COMPONENT_MODEL_DEPLOYER, "fake", name, &component, &err));
    ok(ctcd_component_register(component, &err));
    ctcd_component_unref(component);
}

static inline void fake_reset(void) {
    memset(&fake, 0, sizeof fake);
    fake.traces = true;
}

/* Fixture: a context on a new home with the model deployer "ml", a fake one. */
static inline void fake_begin(void) {
    fake_reset();
    api_open();
    fake_register(ctx);
    fake_component("ml");
    ok(ctcd_model_deployer_get(ctx, "ml", &deployer, &err));
}

/* Ends the context, in the middle of a test or at its end: everything was given back exactly once. */
static inline void fake_end_context(void) {
    deployer = ctcd_model_deployer_unref(deployer);
    ctx = ctcd_context_unref(ctx);
    ck_assert_int_eq(fake.closed, fake.opened);
    ck_assert_int_eq(fake.scratches_destroyed, fake.scratches);
    ck_assert_int_eq(fake.destroyed, 1);
}

static inline void fake_end(void) {
    if (ctx)
        fake_end_context();
    api_close();
}

/* What to deploy; ready at once is enough. */
static inline ctcd_deployment *fake_want(const char *model, const char *uri) {
    ctcd_deployment *want = NULL;
    ok(ctcd_deployment_new(ctx, &want, &err));
    ok(ctcd_deployment_set_model_name(want, model, &err));
    ok(ctcd_deployment_set_model_uri(want, uri, &err));
    ok(ctcd_deployment_set_min_ready(want, 0, &err));
    return want;
}

static inline ctcd_op *fake_deploy_begin(const char *model, const char *uri, int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ctcd_deployment *want = fake_want(model, uri);
    ok(ctcd_model_deployer_deploy_begin(deployer, want, timeout_ms, &op, &err));
    ctcd_deployment_unref(want);
    return op;
}

/* Deploys, and must succeed. */
static inline ctcd_service *fake_deploy(const char *model, const char *uri) {
    ctcd_service *service = NULL;
    ctcd_deployment *want = fake_want(model, uri);
    ok(ctcd_model_deployer_deploy(deployer, want, LONG_MS, &service, &err));
    ctcd_deployment_unref(want);
    ck_assert_ptr_nonnull(service);
    return service;
}

static inline ctcd_list *fake_services(void) {
    ctcd_list *list = NULL;
    ok(ctcd_service_find(ctx, NULL, NULL, NULL, NULL, &list, &err));
    return list;
}

static inline ctcd_op *fake_observe_begin(int64_t timeout_ms) {
    ctcd_op *op = NULL;
    ctcd_list *list = fake_services();
    ok(ctcd_list_observe_begin(list, timeout_ms, &op, &err));
    ctcd_list_unref(list);
    return op;
}

#endif
