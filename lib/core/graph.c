/* Order and skipping in a graph of steps; see graph.h. A matrix of bits would be simpler, but 1,000
   steps with few edges are better served by lists. */
#include "core/graph.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

struct node {
    char *name;
    size_t *needs;
    size_t need_count;
};

struct graph {
    struct node *nodes;
    size_t count;
};

void graph_free(struct graph *graph) {
    if (!graph)
        return;
    for (size_t i = 0; i < graph->count; i++) {
        mem_free(graph->nodes[i].name);
        mem_free(graph->nodes[i].needs);
    }
    mem_free(graph->nodes);
    mem_free(graph);
}

void graph_done(struct graph **graph) {
    graph_free(*graph);
    *graph = NULL;
}

struct graph *graph_new(const char *const *names, size_t count) {
    _cleanup_(graph_done) struct graph *graph = mem_alloc(sizeof *graph);
    if (!graph)
        return NULL;
    graph->nodes = mem_array(count ? count : 1, sizeof *graph->nodes);
    if (!graph->nodes)
        return NULL;
    for (; graph->count < count; graph->count++) {
        graph->nodes[graph->count].name = mem_copy_text(names[graph->count]);
        if (!graph->nodes[graph->count].name)
            return NULL;
    }
    return mem_steal(&graph);
}

size_t graph_count(const struct graph *graph) {
    return graph->count;
}

bool graph_needs(const struct graph *graph, size_t node, size_t needed) {
    if (node >= graph->count)
        return false;
    const struct node *n = &graph->nodes[node];
    for (size_t i = 0; i < n->need_count; i++)
        if (n->needs[i] == needed)
            return true;
    return false;
}

int graph_need(struct graph *graph, size_t node, size_t needed) {
    if (node >= graph->count || needed >= graph->count)
        return CTCD_E_INVALID;
    if (graph_needs(graph, node, needed))
        return 0;
    struct node *n = &graph->nodes[node];
    size_t *grown = mem_resize(n->needs, n->need_count + 1, sizeof *grown);
    if (!grown)
        return CTCD_E_NOMEM;
    n->needs = grown;
    n->needs[n->need_count++] = needed;
    return 0;
}

static bool is_free(const struct node *node, const bool *placed) {
    for (size_t i = 0; i < node->need_count; i++)
        if (!placed[node->needs[i]])
            return false;
    return true;
}

/* Every node that could not be placed needs another such node, so walking along needs must come back
   to where it has been: that part of the walk is a cycle. It is told from its first node in file order. */
static int name_cycle(const struct graph *graph, const bool *placed, ctcd_error **err) {
    _cleanup_(mem_free_ptr) size_t *walk = mem_array(graph->count, sizeof *walk);
    _cleanup_(mem_free_ptr) size_t *seen_at = mem_array(graph->count, sizeof *seen_at);
    _cleanup_(buf_done) struct buf text = {0};
    if (!walk || !seen_at)
        return error_nomem(err);
    size_t at = 0;
    while (placed[at])
        at++;
    size_t length = 0;
    while (!seen_at[at]) {
        walk[length++] = at;
        seen_at[at] = length;
        const struct node *n = &graph->nodes[at];
        size_t next = 0;
        while (placed[n->needs[next]])
            next++;
        at = n->needs[next];
    }
    size_t begin = seen_at[at] - 1;
    size_t size = length - begin;
    size_t first = 0;
    for (size_t i = 1; i < size; i++)
        if (walk[begin + i] < walk[begin + first])
            first = i;
    for (size_t i = 0; i <= size; i++)
        buf_addf(&text, "%s%s", i ? " → " : "",
                 graph->nodes[walk[begin + (first + i) % size]].name);
    if (text.failed)
        return error_nomem(err);
    return error_set(err, CTCD_E_INVALID, "take one of these links out",
                     "the steps need each other in a circle: %s", text.text);
}

int graph_order(const struct graph *graph, size_t *order, ctcd_error **err) {
    size_t room = graph->count ? graph->count : 1;
    _cleanup_(mem_free_ptr) bool *placed = mem_array(room, sizeof *placed);
    _cleanup_(mem_free_ptr) size_t *found = mem_array(room, sizeof *found);
    if (!placed || !found)
        return error_nomem(err);
    size_t done = 0;
    while (done < graph->count) {
        size_t i = 0;
        while (i < graph->count && (placed[i] || !is_free(&graph->nodes[i], placed)))
            i++;
        if (i == graph->count)
            return name_cycle(graph, placed, err);
        placed[i] = true;
        found[done++] = i;
    }
    if (done)
        memcpy(order, found, done * sizeof *order);
    return 0;
}

int graph_skip(const struct graph *graph, const bool *bad, bool *skipped) {
    size_t room = graph->count ? graph->count : 1;
    _cleanup_(mem_free_ptr) bool *found = mem_array(room, sizeof *found);
    if (!found)
        return CTCD_E_NOMEM;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < graph->count; i++) {
            const struct node *n = &graph->nodes[i];
            for (size_t k = 0; k < n->need_count && !found[i] && !bad[i]; k++)
                if (bad[n->needs[k]] || found[n->needs[k]])
                    more = found[i] = true;
        }
    }
    if (graph->count)
        memcpy(skipped, found, graph->count * sizeof *skipped);
    return 0;
}
