/* A clock that the test moves, and a pipeline whose only step deploys to a back end inside the test (fake.h). Used by
   the suites of schedules. */
#ifndef CTCD_TESTS_FIRING_H
#define CTCD_TESTS_FIRING_H

#include "fake.h"

static struct hand hand;
static ctcd_pipeline *pipeline;

static inline void begin(void) {
    fake_begin();
    fake.traces = false; /* ten minutes of it would not fit */
    hand_give(&hand, ctx);
    ok(ctcd_pipeline_parse(
        ctx,
        "pipeline: digits\nparams: {n: 1}\nsteps:\n"
        "  deploy: {deploy: {model_deployer: ml, model_name: digits, model_uri: ./m,"
        " min_ready: 0s}}\n",
        NULL, &pipeline, &err));
}

static inline void end(void) {
    pipeline = ctcd_pipeline_unref(pipeline);
    fake_end();
}

#endif
