/* What the library says about itself, and the free of owned texts. Called by programs. */
#include <ctcd/base.h>

#include "base/mem.h"
#include "base/text.h"

#define DIGITS(n) DIGITS_OF(n)
#define DIGITS_OF(n) #n

const char *ctcd_version(void) {
    return DIGITS(CTCD_VERSION_MAJOR) "." DIGITS(CTCD_VERSION_MINOR) "." DIGITS(CTCD_VERSION_PATCH);
}

int ctcd_has_feature(const char *name) {
    static const char *const features[] = {"mlflow", "interval", "cron"};
    for (size_t i = 0; name && i < sizeof features / sizeof features[0]; i++)
        if (text_same(name, features[i]))
            return 1;
    return 0;
}

void ctcd_free(void *memory) {
    mem_free(memory);
}
