/* The words that stand for numbers in the tables, by number. For the files of this folder. */
#ifndef CTCD_STORE_WORDS_H
#define CTCD_STORE_WORDS_H

#include <ctcd/component.h>

static const char *const word_component_types[] = {
    [CTCD_COMPONENT_ORCHESTRATOR] = "orchestrator",
    [CTCD_COMPONENT_ARTIFACT_STORE] = "artifact-store",
    [CTCD_COMPONENT_METADATA_STORE] = "metadata-store",
    [CTCD_COMPONENT_MODEL_DEPLOYER] = "model-deployer",
};

#endif
