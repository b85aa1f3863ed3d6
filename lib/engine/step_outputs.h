/* What a command or function step leaves: its declared outputs as artifacts. Called by those steps. */
#ifndef CTCD_ENGINE_STEP_OUTPUTS_H
#define CTCD_ENGINE_STEP_OUTPUTS_H

#include "engine/run.h"

struct step_artifacts {
    struct store_artifact *items;
    size_t count;
};
void step_artifacts_done(struct step_artifacts *all); /* for _cleanup_ */

/* Is this output among the declared ones? Else an error of this code, which names the near miss. */
int step_check_output(char *const *declared, const char *name, int code, ctcd_error **err);
/* values: an object of outputs; a text that names something inside the folder becomes an artifact by URI,
   hashed. services: an object of UUIDs, or NULL. Together they must be all declared outputs, and no other. */
int step_collect(const struct step_spec *step, const char *folder, const struct json *values,
                 const struct json *services, struct step_artifacts *ret, ctcd_error **err);

#endif
