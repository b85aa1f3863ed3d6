/* A graph of named nodes and "needs" edges: order of the steps of a pipeline, and what is skipped when
   one of them did not end well. */
#ifndef CTCD_CORE_GRAPH_H
#define CTCD_CORE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct graph;

/* Nodes are 0..count-1 in file order; names are copied. NULL = out of memory. */
struct graph *graph_new(const char *const *names, size_t count);
void graph_free(struct graph *graph);
void graph_done(struct graph **graph); /* for _cleanup_ */
size_t graph_count(const struct graph *graph);
/* node needs the end of `needed`. Repeated edges are one; a node may not need itself only because the
   order would then name the cycle. 0 or CTCD_E_NOMEM, CTCD_E_INVALID (no such node). */
int graph_need(struct graph *graph, size_t node, size_t needed);
bool graph_needs(const struct graph *graph, size_t node, size_t needed); /* directly */

/* Order in which nodes can run: needed ones first, else file order. order: room for count. A cycle is
   CTCD_E_INVALID and named "a → b → a", each needing the next. */
int graph_order(const struct graph *graph, size_t *order, ctcd_error **err);

/* bad[i]: node i failed or was skipped. Sets skipped[i] for all that need such a node, directly or
   through others; bad ones themselves are not set. Both have count elements. 0 or CTCD_E_NOMEM. */
int graph_skip(const struct graph *graph, const bool *bad, bool *skipped);

#endif
