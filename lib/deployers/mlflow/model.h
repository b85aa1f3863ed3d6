/* Models on disk: where a URI leads, and what its MLmodel file says. */
#ifndef CTCD_DEPLOYERS_MLFLOW_MODEL_H
#define CTCD_DEPLOYERS_MLFLOW_MODEL_H

#include "base/error.h"

/* A path or a file: URI to the real path of a folder that MLflow can serve; owned.
   CTCD_E_NOT_FOUND: no such path; CTCD_E_INVALID: no model; CTCD_E_NOT_SUPPORTED: models:/, s3:, ... */
int model_resolve(const char *uri, char **ret_path, ctcd_error **err);
/* Is there a model in the folder that has the python_function flavor? */
int model_check(const char *folder, ctcd_error **err);
/* The names of its columns as a JSON array of texts; CTCD_NONE: it names none (a tensor, no signature). */
int model_columns(const char *folder, char **ret, ctcd_error **err);
/* The request that was saved with it as an example, as its server takes it; CTCD_NONE: there is none. */
int model_example(const char *folder, char **ret, ctcd_error **err);
/* An absolute path of the program, found in PATH where `name` has no slash. Links are kept: the one in a
   virtual environment is what makes it that environment's. */
int python_find(const char *name, char **ret, ctcd_error **err);

#endif
