/* The back ends that are compiled in. Only api/context.c includes this; it registers them through the
   public function, like anybody's. */
#ifndef CTCD_DEPLOYERS_BUILTIN_H
#define CTCD_DEPLOYERS_BUILTIN_H

#include <ctcd/plugin.h>

extern const ctcd_model_deployer_vtable *const BUILTIN_DEPLOYERS[]; /* ended by NULL */

#endif
