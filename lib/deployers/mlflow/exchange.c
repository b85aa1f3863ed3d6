/* See exchange.h. Used by look.c (is it ready?) and predict.c. */
#include "deployers/mlflow/exchange.h"

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
