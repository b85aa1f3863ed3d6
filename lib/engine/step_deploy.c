/* The built-in steps (run.h): decide, which is pure but for reading, and deploy, around the deploy op. */
#include <string.h>

#include "core/decision.h"
#include "core/service.h"
#include "engine/deploy.h"
#include "engine/run.h"
#include "io/file.h"

#define LOOK_MS 5000

struct built_in {
    ctcd_op op;
    struct step_args args;
    int64_t attempt;
    bool begun;
    ctcd_op *child; /* deploy, start of the incumbent, or a look at a service of an earlier run */
    bool kept;      /* the incumbent is the result */
    bool looking;   /* child is a look */
};

static int begin(struct built_in *b) {
    const struct store_step *left = step_left(&b->args);
    b->begun = true;
    int rc = left ? step_end_left(&b->args, left, b->op.stop, OP_ERR(&b->op)) : 0;
    if (!rc && b->op.stop)
        rc = op_fail_stopped(&b->op);
    return rc ? rc : step_begin(&b->args, b->attempt, NULL, NULL, OP_ERR(&b->op));
}

static int failed(struct built_in *b, int rc) {
    enum store_step_status status = b->op.stop ? STORE_STEP_CANCELED : STORE_STEP_FAILED;
    step_end(&b->args, b->attempt, status, b->op.err ? error_message(b->op.err) : "failed", NULL, 0,
             NULL, NULL);
    return rc;
}

static int start(ctcd_op *parent, const struct op_kind *kind, const struct step_args *args,
                 ctcd_op **ret) {
    ctcd_op *op = NULL;
    int rc =
        op_new(parent->ctx, kind, sizeof(struct built_in), op_left(parent), &op, OP_ERR(parent));
    if (rc)
        return rc;
    ((struct built_in *)op)->args = *args;
    ((struct built_in *)op)->attempt = step_next_attempt(args);
    op_start(op, parent);
    *ret = op;
    return 0;
}

static void built_in_done(ctcd_op *op) {
    op_drop(&((struct built_in *)op)->child);
}

/* ---- decide ---- */

/* The rule as JSON, with parameters put in: {"metric": "accuracy", "threshold": "0.9", ...}. */
static int rule_json(struct built_in *b, char **ret) {
    const struct decide_spec *decide = &b->args.step->decide;
    _cleanup_(json_done) struct json *rule = json_new_object();
    if (!json_set_text(rule, "metric", decide->metric.output))
        return error_nomem(OP_ERR(&b->op));
    for (size_t i = 0; i < decide->rule.count; i++) {
        _cleanup_(mem_free_ptr) char *value = NULL;
        int rc = pipeline_spec_substitute(&b->args.run->pipeline->spec, decide->rule.items[i].value,
                                          &value, OP_ERR(&b->op));
        if (rc)
            return rc;
        if (!json_set_text(rule, decide->rule.items[i].name, value))
            return error_nomem(OP_ERR(&b->op));
    }
    return (*ret = json_to_text(rule)) ? 0 : error_nomem(OP_ERR(&b->op));
}

/* {"accuracy": 0.93}, or {} where the step left no such output. */
static int candidate_json(struct built_in *b, char **ret) {
    const struct output_ref *ref = &b->args.step->decide.metric;
    _cleanup_(json_done) struct json *candidate = json_new_object();
    struct json *value = NULL;
    int rc = run_output(b->args.run, ref, &value, OP_ERR(&b->op));
    if (rc && rc != CTCD_E_NOT_FOUND)
        return rc;
    error_done(OP_ERR(&b->op));
    if (!candidate || (value && !json_set_new(candidate, ref->output, value)))
        return error_nomem(OP_ERR(&b->op));
    return (*ret = json_to_text(candidate)) ? 0 : error_nomem(OP_ERR(&b->op));
}

static int incumbent_json(struct built_in *b, char **ret) {
    const struct step_spec *deploy = decide_target(&b->args.run->pipeline->spec, b->args.step);
    if (!deploy)
        return 0;
    _cleanup_(object_done) ctcd_service *incumbent = NULL;
    int rc = step_incumbent(b->args.run, deploy, &incumbent, OP_ERR(&b->op));
    if (rc)
        return rc == CTCD_NONE ? 0 : rc;
    return (*ret = mem_copy_text(incumbent->metrics)) ? 0 : error_nomem(OP_ERR(&b->op));
}

static int record_decision(struct built_in *b, const ctcd_decision *d) {
    _cleanup_(mem_free_ptr) char *rule = json_to_text(d->rule);
    _cleanup_(mem_free_ptr) char *candidate = json_to_text(d->candidate);
    _cleanup_(mem_free_ptr) char *baseline = d->baseline ? json_to_text(d->baseline) : NULL;
    _cleanup_(mem_free_ptr) char *reasons = json_to_text(d->reasons);
    _cleanup_(mem_free_ptr) char *value = mem_text("\"%s\"", verdict_name(d->verdict));
    if (!rule || !candidate || !reasons || !value || (d->baseline && !baseline))
        return error_nomem(OP_ERR(&b->op));
    char name[] = "decision";
    struct store_artifact artifact = {.name = name, .kind = STORE_ARTIFACT_VALUE, .value = value};
    struct store_decision decision = {
        .verdict = (char *)(uintptr_t)verdict_name(d->verdict),
        .rule = rule,
        .candidate = candidate,
        .baseline = baseline,
        .reasons = reasons,
        .at_ms = context_wall(b->op.ctx),
    };
    return step_end(&b->args, b->attempt, STORE_STEP_COMPLETED, NULL, &artifact, 1, &decision,
                    OP_ERR(&b->op));
}

static int decide(struct built_in *b) {
    _cleanup_(mem_free_ptr) char *rule = NULL;
    _cleanup_(mem_free_ptr) char *candidate = NULL;
    _cleanup_(mem_free_ptr) char *incumbent = NULL;
    _cleanup_(object_done) ctcd_decision *decision = NULL;
    int rc = rule_json(b, &rule);
    if (!rc)
        rc = candidate_json(b, &candidate);
    if (!rc)
        rc = incumbent_json(b, &incumbent);
    if (!rc)
        rc = decision_decide(rule, candidate, incumbent, &decision, OP_ERR(&b->op));
    if (!rc)
        rc = record_decision(b, decision);
    if (!rc)
        op_progress(&b->op, "step %s: %s: %s", b->args.step->name, verdict_name(decision->verdict),
                    decision->reasons_line);
    return rc;
}

static int decide_step(ctcd_op *op) {
    struct built_in *b = (struct built_in *)op;
    int rc = begin(b);
    if (rc)
        return rc;
    rc = decide(b);
    return rc ? failed(b, rc) : 0;
}

static const struct op_kind DECIDE = {.name = "step", .step = decide_step, .done = built_in_done};

int step_decide_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret) {
    return start(parent, &DECIDE, args, ret);
}

/* ---- deploy ---- */

/* Did the step named by `when` promote? Without a `when`, yes. */
static int promoted(struct built_in *b, bool *ret) {
    *ret = true;
    if (!b->args.step->when)
        return 0;
    char output[] = "decision";
    struct output_ref ref = {b->args.step->when, output};
    _cleanup_(json_done) struct json *verdict = NULL;
    int rc = run_output(b->args.run, &ref, &verdict, OP_ERR(&b->op));
    *ret =
        json_text(verdict) && strcmp(json_text(verdict), verdict_name(CTCD_VERDICT_PROMOTE)) == 0;
    return rc;
}

/* Is there one to deploy? That a step left null or nothing in its place matters where the deploy says so. */
static int has_model(struct built_in *b, bool *ret) {
    const struct deploy_spec *d = &b->args.step->deploy;
    *ret = true;
    if (!d->model_from.step || !d->without_model || strcmp(d->without_model, "keep") != 0)
        return 0;
    _cleanup_(json_done) struct json *value = NULL;
    int rc = run_output(b->args.run, &d->model_from, &value, OP_ERR(&b->op));
    *ret = !value || (json_kind(value) != JSON_KIND_NULL &&
                      !(json_text(value) && json_text(value)[0] == '\0'));
    return rc;
}

static int keep_incumbent(struct built_in *b, const char *why) {
    _cleanup_(object_done) ctcd_service *incumbent = NULL;
    int rc = step_incumbent(b->args.run, b->args.step, &incumbent, OP_ERR(&b->op));
    if (rc == CTCD_NONE) {
        _cleanup_(mem_free_ptr) char *text = mem_text("%s, and there is no incumbent", why);
        rc = text ? step_end(&b->args, b->attempt, STORE_STEP_SKIPPED, text, NULL, 0, NULL,
                             OP_ERR(&b->op))
                  : error_nomem(OP_ERR(&b->op));
        return rc ? rc : CTCD_NONE;
    }
    if (!rc) /* it keeps running, and is started where it was not */
        rc = start_new(b->op.ctx, incumbent->record.uuid, op_left(&b->op), &b->child,
                       OP_ERR(&b->op));
    if (rc)
        return rc;
    b->kept = true;
    op_start(b->child, &b->op);
    return 0;
}

/* The metrics that a later decision compares with: numbers of the step that made the model and of the
   step that was decided about. */
static int metrics_of(struct built_in *b, char **ret) {
    const struct pipeline_spec *spec = &b->args.run->pipeline->spec;
    const struct step_spec *step = b->args.step;
    _cleanup_(json_done) struct json *all = json_new_object();
    _cleanup_(json_done) struct json *more = NULL;
    const struct step_spec *when = step->when ? pipeline_spec_step(spec, step->when) : NULL;
    int rc = all ? 0 : error_nomem(OP_ERR(&b->op));
    if (!rc && step->deploy.model_from.step) {
        json_done(&all);
        rc = run_numbers(b->args.run, step->deploy.model_from.step, &all, OP_ERR(&b->op));
    }
    if (!rc && when)
        rc = run_numbers(b->args.run, when->decide.metric.step, &more, OP_ERR(&b->op));
    for (struct json_iter i = json_members(more); !rc && json_next(&i);)
        if (!json_set(all, i.key, i.value))
            rc = error_nomem(OP_ERR(&b->op));
    if (rc)
        return rc;
    return (*ret = json_to_text(all)) ? 0 : error_nomem(OP_ERR(&b->op));
}

static int model_uri(struct built_in *b, char **ret) {
    const struct deploy_spec *d = &b->args.step->deploy;
    if (!d->model_from.step)
        return pipeline_spec_substitute(&b->args.run->pipeline->spec, d->model_uri, ret,
                                        OP_ERR(&b->op));
    _cleanup_(json_done) struct json *value = NULL;
    int rc = run_output(b->args.run, &d->model_from, &value, OP_ERR(&b->op));
    if (!rc && !json_text(value))
        rc = error_set(OP_ERR(&b->op), CTCD_E_INVALID, NULL, "the output %s.%s is no path or URI",
                       d->model_from.step, d->model_from.output);
    if (rc)
        return rc;
    return (*ret = mem_copy_text(json_text(value))) ? 0 : error_nomem(OP_ERR(&b->op));
}

static bool is_relative_path(const char *uri) {
    static const char scheme[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    return *uri && *uri != '/' && uri[strspn(uri, scheme)] != ':';
}

/* A relative path means the pipeline's folder, where its commands run, too. Owned; NULL = out of memory. */
static char *rooted(const struct built_in *b, const char *uri) {
    if (!is_relative_path(uri))
        return mem_copy_text(uri);
    size_t here = strncmp(uri, "./", 2) == 0 ? 2 : 0;
    return path_join(b->args.run->pipeline->spec.folder, uri + here);
}

static int set_texts(struct built_in *b, ctcd_deployment *want) {
    const struct run_view *run = b->args.run;
    const struct deploy_spec *d = &b->args.step->deploy;
    int rc = pipeline_spec_substitute(&run->pipeline->spec, d->model_name, &want->model_name,
                                      OP_ERR(&b->op));
    _cleanup_(mem_free_ptr) char *uri = NULL;
    if (!rc)
        rc = model_uri(b, &uri);
    if (!rc && !(want->model_uri = rooted(b, uri)))
        rc = error_nomem(OP_ERR(&b->op));
    if (!rc)
        rc = metrics_of(b, &want->metrics);
    want->pipeline = mem_copy_text(run->record.pipeline);
    want->step = mem_copy_text(b->args.step->name);
    want->run = mem_copy_text(run->record.name);
    want->smoke = d->smoke ? mem_copy_text(d->smoke) : NULL;
    want->folder = mem_copy_text(run->pipeline->spec.folder);
    if (!rc && (!want->pipeline || !want->step || !want->run || !want->folder ||
                (d->smoke && !want->smoke)))
        rc = error_nomem(OP_ERR(&b->op));
    for (size_t i = 0; !rc && i < d->options.count; i++) {
        _cleanup_(mem_free_ptr) char *value = NULL;
        rc = pipeline_spec_substitute(&run->pipeline->spec, d->options.items[i].value, &value,
                                      OP_ERR(&b->op));
        if (!rc && !json_set_text(want->options, d->options.items[i].name, value))
            rc = error_nomem(OP_ERR(&b->op));
    }
    return rc;
}

static int start_deploy(struct built_in *b) {
    const struct deploy_spec *d = &b->args.step->deploy;
    _cleanup_(object_done) ctcd_deployment *want = NULL;
    _cleanup_(object_done) ctcd_model_deployer *deployer = NULL;
    int rc = deployment_new(b->op.ctx, &want, OP_ERR(&b->op));
    if (!rc)
        rc = deployer_get(b->op.ctx, d->model_deployer, &deployer, OP_ERR(&b->op));
    if (!rc)
        rc = set_texts(b, want);
    if (rc)
        return rc;
    if (d->min_ready_ms >= 0)
        want->min_ready_ms = d->min_ready_ms;
    want->replace = d->replace != 0;
    want->leave_failed = d->on_failure && strcmp(d->on_failure, "leave") == 0;
    restart_policy_from_name(d->restart, &want->restart); /* NULL = never */
    int64_t budget = d->timeout_ms ? d->timeout_ms : DEPLOY_TIMEOUT_MS;
    rc = deploy_new(b->op.ctx, deployer, want, budget, &b->child, OP_ERR(&b->op));
    if (!rc)
        op_start(b->child, &b->op);
    return rc;
}

/* The service that an earlier run deployed with the same work, if it still serves just that. */
static int find_deployed(struct built_in *b, ctcd_service **ret) {
    _cleanup_(store_step_done) struct store_step found = {0};
    _cleanup_(store_artifacts_done) struct store_artifacts all = {0};
    _cleanup_(store_run_done) struct store_run run = {0};
    _cleanup_(object_done) ctcd_service *service = NULL;
    _cleanup_(store_revision_done) struct store_revision revision = {0};
    struct store *store = b->op.ctx->store;
    int rc = step_find_cached(&b->args, &found, &all, OP_ERR(&b->op));
    if (!rc)
        rc = store_run_get(store, found.run, &run, OP_ERR(&b->op));
    if (rc || all.count != 1 || service_load(b->op.ctx, all.items[0].value, &service, NULL) ||
        service_revision(store, &service->record, &revision, NULL))
        return rc ? rc : CTCD_NONE;
    if (!service->record.revision || strcmp(revision.run, run.name) != 0)
        return CTCD_NONE;
    *ret = mem_steal(&service);
    return 0;
}

static int start_look(struct built_in *b) {
    ctcd_service *service = NULL;
    int rc = find_deployed(b, &service);
    if (rc)
        return rc == CTCD_NONE ? start_deploy(b) : rc;
    _cleanup_(object_done) ctcd_list *list = object_list_new(b->op.ctx, &SERVICE_KIND);
    if (!list)
        object_unref(service);
    if (!list || !object_list_take(list, service))
        return error_nomem(OP_ERR(&b->op));
    rc = observe_new(b->op.ctx, list, LOOK_MS, &b->child, OP_ERR(&b->op));
    if (rc)
        return rc;
    b->looking = true;
    op_start(b->child, &b->op);
    return 0;
}

/* Alive: its result stands. Anything else is deployed. */
static int end_look(struct built_in *b) {
    _cleanup_(object_done) ctcd_list *seen = op_steal_result(b->child, OP_LIST);
    const ctcd_status *status = object_list_at(seen, &STATUS_KIND, 0);
    b->looking = false;
    op_drop(&b->child);
    if (!status || !service_state_running(status->state)) {
        int rc = start_deploy(b);
        return rc ? failed(b, rc) : CTCD_AGAIN;
    }
    const struct store_service *service = &status->service->record;
    char name[] = "service";
    struct store_artifact artifact = {
        .name = name, .kind = STORE_ARTIFACT_SERVICE, .value = service->uuid};
    int rc =
        step_end(&b->args, b->attempt, STORE_STEP_CACHED, NULL, &artifact, 1, NULL, OP_ERR(&b->op));
    if (!rc)
        op_progress(&b->op, "step %s: cached: revision %lld of %s still serves", b->args.step->name,
                    (long long)service->revision, service->model);
    return rc;
}

static int begin_deploy(struct built_in *b) {
    bool yes = false, model = false;
    int rc = begin(b);
    if (rc)
        return rc;
    rc = has_model(b, &model);
    if (!rc)
        rc = promoted(b, &yes);
    if (!rc)
        rc = !model ? keep_incumbent(b, "there is no model")
             : yes  ? start_look(b)
                    : keep_incumbent(b, "not promoted");
    return rc < 0 ? failed(b, rc) : rc;
}

static int end_deploy(struct built_in *b) {
    int rc = op_outcome(b->child, OP_ERR(&b->op));
    if (rc < 0)
        return failed(b, rc);
    _cleanup_(object_done) ctcd_service *service = op_steal_result(b->child, OP_SERVICE);
    _cleanup_(mem_free_ptr) char *value = service ? mem_copy_text(service->record.uuid) : NULL;
    if (!value)
        return failed(b, error_nomem(OP_ERR(&b->op)));
    char name[] = "service";
    struct store_artifact artifact = {.name = name, .kind = STORE_ARTIFACT_SERVICE, .value = value};
    rc = step_end(&b->args, b->attempt, STORE_STEP_COMPLETED, NULL, &artifact, 1, NULL,
                  OP_ERR(&b->op));
    if (!rc)
        op_progress(&b->op, "step %s: %s: revision %lld of %s at %s", b->args.step->name,
                    b->kept ? "kept" : "deployed", (long long)service->record.revision,
                    service->record.model, service->record.url);
    return rc;
}

static int deploy_step(ctcd_op *op) {
    struct built_in *b = (struct built_in *)op;
    if (!b->begun) {
        int rc = begin_deploy(b);
        if (rc)
            return rc;
    }
    if (b->looking && b->child->ended && !op->stop) {
        int rc = end_look(b);
        if (rc != CTCD_AGAIN)
            return rc;
    }
    if (op->stop && !b->child->ended)
        op_stop(b->child, op->stop);
    if (!b->child->ended) {
        op_wait_child(op);
        return CTCD_AGAIN;
    }
    return b->looking ? failed(b, op_fail_stopped(op)) : end_deploy(b);
}

static const struct op_kind DEPLOY = {.name = "step", .step = deploy_step, .done = built_in_done};

int step_deploy_start(ctcd_op *parent, const struct step_args *args, ctcd_op **ret) {
    return start(parent, &DEPLOY, args, ret);
}
