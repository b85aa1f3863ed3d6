/* See exchange.h. Used by look.c (is it ready?), predict.c and registry.c. */
#include "deployers/mlflow/exchange.h"

#define MARGIN_MS 20

int64_t exchange_time(const ctcd_call *call) {
    int64_t left = ctcd_call_deadline(call) - ctcd_call_now(call);
    left -= left > 10 * MARGIN_MS ? MARGIN_MS : left / 10;
    return left > 0 ? left : 1;
}

static void answered(void *data, struct http_answer *answer) {
    struct exchange *exchange = data;
    exchange->transfer = NULL;
    exchange->answered = true;
    http_answer_move(&exchange->answer, answer);
    ctcd_call_wake(exchange->call);
}

int exchange_start(struct exchange *exchange, const struct mlflow *backend, ctcd_call *call,
                   const struct http_request *request, ctcd_error **err) {
    exchange_drop(exchange);
    exchange->call = call;
    return http_start(backend->pool, request, answered, exchange, &exchange->transfer, err);
}

void exchange_drop(struct exchange *exchange) {
    exchange->transfer = http_cancel(exchange->transfer);
    if (exchange->answered)
        http_answer_done(&exchange->answer);
    exchange->answered = false;
}
