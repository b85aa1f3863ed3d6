/* One HTTP request of a call: part of its scratch. Zero it; exchange_drop when the call ends. */
#ifndef CTCD_DEPLOYERS_MLFLOW_EXCHANGE_H
#define CTCD_DEPLOYERS_MLFLOW_EXCHANGE_H

#include "deployers/mlflow/backend.h"

struct exchange {
    ctcd_call *call; /* which is woken by the answer; it owns us */
    struct http_transfer *transfer;
    bool answered;
    struct http_answer answer;
};

/* ms that a request of this call may take, > 0: a little less than the call has left, so that the back end can
   say what did not answer before the call's own deadline ends it. */
int64_t exchange_time(const ctcd_call *call);
/* A failure to start comes back at once; anything else is the answer. May be started again. */
int exchange_start(struct exchange *exchange, const struct mlflow *backend, ctcd_call *call,
                   const struct http_request *request, ctcd_error **err);
void exchange_drop(struct exchange *exchange);

#endif
